//! Runs a graph on a store, through all that befalls it, until nothing is left to do. The clock is moved by hand, and
//! only when nothing else is left.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock};

use evertask::registry::Registry;
use evertask::store::{
    MemoryStore, RunFilter, RunRecord, RunState, SqliteStore, Store, StoreError, TaskFilter, TaskRecord, TaskState,
    Wait,
};
use evertask::testing::ManualClock;
use evertask::{Clock as _, DEFAULT_QUEUE, Dispatcher, Queue, RunId, Timestamp, Worker};

use crate::entries::{Built, Sub};
use crate::graph::Kind;
use crate::life::{Journal, Life, Mortal};
use crate::plan::{Death, Fate, Signal};
use crate::said::{self, STEP_NAMES};

/// More than any graph has.
const ALL: u32 = 100_000;

/// What is stored when nothing is left to do, and what the handlers did.
pub(crate) struct Record {
    pub(crate) runs: Vec<RunRecord>,
    pub(crate) tasks: Vec<TaskRecord>,
    pub(crate) journal: Arc<Journal>,
    /// What the store, or a handler, has found wrong.
    pub(crate) wrong: Vec<String>,
}

/// Where a store is.
pub(crate) enum Site {
    Memory,
    File(tempfile::TempDir),
    #[cfg(all(feature = "postgres", unix))]
    Schema(evertask::testing::postgres::Schema),
}

/// A store, and how it is opened again.
struct Ground {
    clock: ManualClock,
    site: Site,
    store: Arc<dyn Store>,
    /// The signals that were given: each once.
    given: Mutex<HashSet<(RunId, usize)>>,
}

impl Ground {
    async fn new(site: Site) -> Result<Self, StoreError> {
        let clock = ManualClock::new();
        let store = open(&clock, &site).await?;
        Ok(Self { clock, site, store, given: Mutex::default() })
    }

    /// Closes the store, and opens it again as the only process there is. Memory goes on as it is.
    async fn reopen(self) -> Result<Self, StoreError> {
        let Self { clock, site, store, given } = self;
        if let Site::Memory = site {
            return Ok(Self { clock, site, store, given });
        }
        store.close().await?;
        drop(store);
        let store = open(&clock, &site).await?;
        Ok(Self { clock, site, store, given })
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskRecord>, StoreError> {
        self.store.tasks(filter.limit(ALL)).await
    }
}

async fn open(clock: &ManualClock, site: &Site) -> Result<Arc<dyn Store>, StoreError> {
    let clock = Arc::new(clock.clone());
    Ok(match site {
        Site::Memory => Arc::new(MemoryStore::new(clock)),
        Site::File(folder) => {
            let file = folder.path().join("work.db");
            Arc::new(tokio::task::spawn_blocking(move || SqliteStore::open(&file, clock)).await.unwrap()?)
        }
        #[cfg(all(feature = "postgres", unix))]
        Site::Schema(schema) => Arc::new(evertask::store::PostgresStore::open_with_clock(schema.url(), clock).await?),
    })
}

/// A worker, with the store as it has it.
struct Hand {
    worker: Worker,
    mortal: Arc<Mortal>,
}

impl Hand {
    async fn start(ground: &Ground, fate: &Fate, life: Arc<Life>, run: RunId) -> Self {
        let store = ground.store.clone();
        let holds = (OnceLock::from(run), fate.holds.clone());
        let (id, inbox) = (Mutex::new(None), Mutex::new(None));
        let mortal = Arc::new(Mortal { store, life: life.clone(), holds, id, inbox });
        let worker = Dispatcher::with_store(mortal.clone(), Arc::new(ground.clock.clone()))
            .worker()
            .registry(Registry::default().add::<Sub<0>>())
            .data_dyn(life)
            .queue(DEFAULT_QUEUE, Queue::new().concurrency(fate.slots))
            // Far more workers die than any task should live through.
            .max_crashes(1_000)
            .start()
            .await
            .unwrap();
        Self { worker, mortal }
    }

    /// What is left of a dead worker goes.
    async fn bury(self) -> Option<evertask::WorkerId> {
        self.worker.shutdown_within(std::time::Duration::ZERO).await;
        *self.mortal.id.lock().unwrap()
    }
}

/// Runs the first flow of the graph.
pub(crate) async fn drive(built: &'static Built, fate: &Fate, site: Site) -> Result<Record, StoreError> {
    let mut ground = Ground::new(site).await?;
    let undoing = built.graph.steps.iter().filter_map(|step| Some(step.undo?.0)).collect();
    let journal = Arc::new(Journal::new(undoing, built.graph.limits()));
    let run = Dispatcher::with_store(ground.store.clone(), Arc::new(ground.clock.clone()))
        .dispatch(Sub::<0> { text: "in".to_owned() })
        .await
        .unwrap()
        .id();
    for &step in &built.graph.flows[0].steps {
        if let Kind::Wait(Signal::Early) = built.graph.steps[step].kind {
            signal(&ground, run, step).await?;
        }
    }
    let company = if fate.company {
        Some(Hand::start(&ground, fate, Life::new(u32::MAX, None, journal.clone()), run).await)
    } else {
        None
    };
    let mut deaths = fate.deaths.iter().copied();
    let mut lives = 0;
    let mut life = Life::new(lives, deaths.next(), journal.clone());
    let mut hand = Hand::start(&ground, fate, life.clone(), run).await;
    loop {
        if let Some(death) = dies(&ground, &life).await? {
            let dead = hand.bury().await;
            if death.reopens && company.is_none() {
                ground = ground.reopen().await?;
            }
            // A file that is opened by its only process has forgotten the dead one already.
            let mut lapsed = ground.store.workers().await?;
            lapsed.retain(|peer| Some(peer.id) == dead);
            ground.store.reclaim(lapsed).await?;
            lives += 1;
            life = Life::new(lives, deaths.next(), journal.clone());
            hand = Hand::start(&ground, fate, life.clone(), run).await;
        } else if !goes_on(built, &ground).await? {
            break;
        }
    }
    for hand in company.into_iter().chain([hand]) {
        hand.worker.shutdown().await;
    }
    let runs = ground.store.runs(RunFilter::new().limit(ALL)).await?;
    let tasks = ground.tasks(TaskFilter::new()).await?;
    let mut wrong: Vec<String> = ground.store.verify().await?.iter().map(ToString::to_string).collect();
    wrong.extend(journal.wrong());
    ground.store.close().await?;
    Ok(Record { runs, tasks, journal, wrong })
}

/// Waits until the worker is dead, or nothing runs and nothing could.
async fn dies(ground: &Ground, life: &Life) -> Result<Option<Death>, StoreError> {
    loop {
        if life.is_dead() {
            return Ok(life.death);
        }
        let open = TaskFilter::new().state(TaskState::Waiting).state(TaskState::Ready).state(TaskState::Running);
        let (open, now) = (ground.tasks(open).await?, ground.clock.now());
        // A store that has been told of the time need not have done yet what is due.
        let is_due = |task: &&TaskRecord| task.run_at <= now && task.wait.is_none_or(|wait| wait == Wait::Signal);
        let Some(task) = open.iter().find(|task| task.state == TaskState::Running || is_due(task)) else {
            return Ok(None);
        };
        tokio::select! {
            ended = ground.store.ended(task.id.into()) => ended?,
            () = life.died.notified() => {}
            () = life.journal.moved.notified() => {}
        }
    }
}

/// Does the next of what is left to do from outside. Says whether there was something.
async fn goes_on(built: &Built, ground: &Ground) -> Result<bool, StoreError> {
    let held = ground.store.runs(RunFilter::new().state(RunState::Paused).limit(ALL)).await?;
    for run in &held {
        ground.store.resume(run.id).await?;
    }
    if !held.is_empty() {
        return Ok(true);
    }
    let waiting = ground.tasks(TaskFilter::new().state(TaskState::Waiting).state(TaskState::Ready)).await?;
    for task in waiting.iter().filter(|task| task.wait == Some(Wait::Signal)) {
        let step = task.step.as_deref().and_then(|name| STEP_NAMES.iter().position(|known| *known == name)).unwrap();
        let comes = matches!(built.graph.steps[step].kind, Kind::Wait(Signal::Early | Signal::Late));
        if comes && signal(ground, task.run.unwrap(), step).await? {
            return Ok(true);
        }
    }
    let far = Timestamp::from_millis(i64::MAX);
    let timed = |task: &&TaskRecord| task.wait.is_none_or(|wait| wait == Wait::Signal) && task.run_at < far;
    if let Some(due) = waiting.iter().filter(timed).map(|task| task.run_at).min() {
        assert!(due > ground.clock.now(), "something is due, and nobody runs it");
        ground.clock.set(due);
        return Ok(true);
    }
    for run in ground.store.runs(RunFilter::new().state(RunState::Failed).limit(ALL)).await? {
        if ground.store.resume_undo(run.id).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives the value, if it was not given before.
async fn signal(ground: &Ground, run: RunId, step: usize) -> Result<bool, StoreError> {
    use evertask::store::SignalOutcome::{Delivered, Kept};
    if !ground.given.lock().unwrap().insert((run, step)) {
        return Ok(false);
    }
    let value = serde_json::to_vec(&said::signal(step)).unwrap();
    let outcome = ground.store.signal(run, STEP_NAMES[step].to_owned(), &[], value).await?;
    Ok(matches!(outcome, Delivered | Kept))
}
