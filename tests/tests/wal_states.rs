//! Every state that a crash can leave on disk: the write-ahead log is cut after each of its commits, and
//! anywhere; each state is opened and checked.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use evertask::store::{RunState, SqliteStore, TaskRecord};
use evertask::{Clock, Dispatcher, Queue, SystemClock, TaskId, WorkId};
use evertask_tests::check::integrity;
use evertask_tests::courses::{self, KINDS};
use evertask_tests::laps::{Lap, Track, faint_quietly};
use evertask_tests::record::{Record, idle};
use evertask_tests::witness::Witness;
use evertask_tests::{dice, seed, wal};

/// At least so many; and more, until there are enough commits.
const LAPS: u32 = KINDS * 4;
/// Cuts at random, besides those after each commit.
const CUTS: u64 = 100;
/// Fewer states prove too little.
const FEWEST: usize = 370;
const FEWEST_COMMITS: usize = 290;

/// What is on disk when the work is done, and nothing of the log was moved to the database yet.
struct Written {
    folder: tempfile::TempDir,
    database: Vec<u8>,
    log: Vec<u8>,
    done: Record,
    acked: Vec<WorkId>,
}

/// In memory, where there is such a folder: nothing here is about the disk.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn log_of(database: &Path) -> PathBuf {
    database.with_extension("db-wal")
}

async fn write(seed: u64) -> Written {
    let folder = folder();
    let path = folder.path().join("written.db");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = SqliteStore::open_without_checkpoints(&path, clock.clone()).unwrap();
    let dispatcher = Dispatcher::with_store(Arc::new(store), clock);
    let witness = Witness::open(&folder.path().join("witness"), false).unwrap();
    let track = Track { witness, dispatcher: dispatcher.clone(), gate_is_open: true };
    let worker = dispatcher.worker().lease("600ms").data(track);
    let worker = worker.queue(evertask::DEFAULT_QUEUE, Queue::new().concurrency(6)).start().await.unwrap();
    let mut acked = Vec::new();
    for nth in 0.. {
        if nth >= LAPS && nth % KINDS == 0 {
            idle(&dispatcher).await.unwrap();
            // How many things share a commit depends on the machine.
            if wal::commits(&std::fs::read(log_of(&path)).unwrap()).len() >= FEWEST_COMMITS {
                break;
            }
        }
        acked.push(courses::dispatch(&dispatcher, Lap { nth, seed }).await.unwrap().into());
    }
    worker.shutdown().await;
    let done = Record::read(&dispatcher).await.unwrap();
    let (database, log) = (std::fs::read(&path).unwrap(), std::fs::read(log_of(&path)).unwrap());
    dispatcher.close().await.unwrap();
    Written { folder, database, log, done, acked }
}

/// What must follow each task and each run that has ended, by id: known from how it all ended.
struct Chains {
    after: HashMap<TaskId, Vec<WorkId>>,
    ends: HashMap<String, TaskId>,
    known: HashSet<WorkId>,
}

impl Chains {
    fn of(done: &Record) -> Self {
        let mut chains = Self { after: HashMap::new(), ends: HashMap::new(), known: HashSet::new() };
        let tasks = done.tasks.iter().map(|task| (WorkId::from(task.id), task.parent));
        let runs = done.runs.iter().map(|run| (WorkId::from(run.id), run.parent));
        for (id, parent) in tasks.chain(runs) {
            chains.known.insert(id);
            if let Some(parent) = parent {
                chains.after.entry(parent).or_default().push(id);
            }
        }
        for task in done.tasks.iter().filter(|task| is_end(task)) {
            chains.ends.insert(task.correlation.clone().unwrap(), task.id);
        }
        chains
    }

    /// Gives what is wrong with a state: something that ended without what follows it, or something that follows
    /// nothing that ended.
    fn check(&self, state: &Record) -> Vec<String> {
        let mut wrong = Vec::new();
        let tasks = state.tasks.iter().map(|task| WorkId::from(task.id));
        let stored: HashSet<_> = tasks.chain(state.runs.iter().map(|run| run.id.into())).collect();
        wrong.extend(stored.difference(&self.known).map(|id| format!("{id} is in no end")));
        for task in &state.tasks {
            for next in self.after.get(&task.id).into_iter().flatten() {
                if stored.contains(next) != task.state.is_terminal() {
                    let there = if stored.contains(next) { "is" } else { "is not" };
                    wrong.push(format!("{} {} is {}, and {next} {there} there", task.name, task.id, task.state));
                }
            }
        }
        for run in &state.runs {
            let end = run.correlation.as_ref().filter(|_| run.workflow == "Unload").map(|lap| self.ends[lap]);
            if end.is_some_and(|end| stored.contains(&end.into()) != (run.state == RunState::Succeeded)) {
                wrong.push(format!(
                    "{} {} is {}, which does not fit the task of its end",
                    run.workflow, run.id, run.state
                ));
            }
        }
        wrong
    }
}

/// Whether this is the task that a workflow with edges of its own gets at the end of a run.
fn is_end(task: &TaskRecord) -> bool {
    task.name == "Unload"
}

/// One state on disk.
struct State {
    path: PathBuf,
}

impl State {
    fn cut(written: &Written, length: usize) -> Self {
        let path = written.folder.path().join("state.db");
        std::fs::write(&path, &written.database).unwrap();
        std::fs::write(log_of(&path), &written.log[..length]).unwrap();
        Self { path }
    }

    /// Opens it, as a process would that comes after the crash. Gives what it holds, and what is wrong.
    async fn read(&self, chains: &Chains) -> (Record, Vec<String>) {
        let dispatcher = Dispatcher::open(&format!("sqlite:{}", self.path.display())).await.unwrap();
        let state = Record::read(&dispatcher).await.unwrap();
        let mut wrong = chains.check(&state);
        wrong.extend(dispatcher.verify().await.unwrap().iter().map(|violation| format!("store: {violation}")));
        dispatcher.close().await.unwrap();
        (state, wrong)
    }

    /// A mistake, made by hand.
    fn change(&self, sql: &str) {
        let conn = rusqlite::Connection::open(&self.path).unwrap();
        conn.pragma_update(None, "ignore_check_constraints", true).unwrap();
        assert!(conn.execute(sql, []).unwrap() > 0, "nothing was changed by {sql}");
    }
}

impl Drop for State {
    fn drop(&mut self) {
        for file in [self.path.clone(), log_of(&self.path), self.path.with_extension("db-shm")] {
            // Some are gone.
            let _ = std::fs::remove_file(file);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_that_a_crash_can_leave_is_sound() {
    faint_quietly();
    let seed = seed();
    let written = write(seed).await;
    let chains = Chains::of(&written.done);
    let begun = Instant::now();
    let commits = wal::commits(&written.log);
    let random = (0..CUTS).map(|cut| usize::try_from(dice(seed, cut)).unwrap() % (written.log.len() + 1));
    let cuts: Vec<_> = [0].into_iter().chain(commits.iter().copied()).chain(random).collect();
    let (mut wrong, mut least) = (Vec::new(), 0);
    let mut sizes = BTreeSet::new();
    for (nth, &length) in cuts.iter().enumerate() {
        let state = State::cut(&written, length);
        let (record, found) = state.read(&chains).await;
        wrong.extend(found.into_iter().map(|wrong| format!("log cut at {length}: {wrong}")));
        if nth % 20 == 0 {
            wrong.extend(integrity(&state.path).into_iter().map(|wrong| format!("log cut at {length}: {wrong}")));
        }
        // In the order of the commits nothing that was there is gone.
        if nth <= commits.len() {
            assert!(record.tasks.len() >= least, "log cut at {length}: fewer tasks than before");
            least = record.tasks.len();
        }
        sizes.insert(record.tasks.len());
    }
    println!(
        "seed {seed}: {} runs, {} tasks, {} commits in {} KiB of log; {} states checked in {:.1} s, {} wrong",
        written.done.runs.len(),
        written.done.tasks.len(),
        commits.len(),
        written.log.len() / 1024,
        cuts.len(),
        begun.elapsed().as_secs_f64(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "seed {seed}: {} things are wrong\n  {}", wrong.len(), wrong.join("\n  "));
    assert!(cuts.len() >= FEWEST, "only {} states, which prove too little", cuts.len());
    assert!(written.done.runs.len() >= 30 && sizes.len() > 30, "too little was written");
    let whole = State::cut(&written, written.log.len());
    let (record, _) = whole.read(&chains).await;
    assert_eq!(record.runs.iter().map(|run| WorkId::from(run.id)).collect::<Vec<_>>(), written.acked);
}

/// What the checks are worth: mistakes that a store could make are seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_with_a_mistake_in_it_is_noticed() {
    faint_quietly();
    let written = write(seed()).await;
    let chains = Chains::of(&written.done);
    for (mistake, sql) in [
        ("a continuation outside of a run is lost", "DELETE FROM task WHERE name = 'lose'"),
        ("a continuation within a run is lost", "DELETE FROM task WHERE step = 'finish'"),
        ("a dispatch of a handler is lost", "DELETE FROM task WHERE name = 'postcard' AND run IS NULL"),
        ("the task of a run's end is lost", "DELETE FROM task WHERE name = 'Unload'"),
        ("a task is done, and is said to run", "UPDATE task SET state = 'running' WHERE step = 'even'"),
        (
            "a task that goes on has what follows it",
            "UPDATE task SET state = 'ready', finished_at = NULL, output = NULL, \
          due = 1 WHERE name = 'cheer'",
        ),
        (
            "a continuation is there twice",
            "INSERT INTO task (id, name, queue, priority, state, run_at, rank, cancel_routed, \
          created_at, finished_at, fence, payload, output, parent) SELECT randomblob(16), name, queue, priority, state, run_at, rank, \
          cancel_routed, created_at, finished_at, fence, payload, output, parent FROM task WHERE name = 'stamp' AND state = \
          'succeeded' LIMIT 1",
        ),
        ("a run counts one task too many", "UPDATE run SET open_tasks = 1"),
        (
            "a run has ended before its tasks",
            "UPDATE task SET state = 'ready', finished_at = NULL, output = NULL, due = 1 \
          WHERE step = 'come_to'",
        ),
    ] {
        let state = State::cut(&written, written.log.len());
        assert_eq!(state.read(&chains).await.1, Vec::<String>::new());
        state.change(sql);
        let (_, wrong) = state.read(&chains).await;
        assert!(!wrong.is_empty(), "nobody noticed that {mistake}");
    }
}
