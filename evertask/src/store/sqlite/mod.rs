//! Work in one SQLite file.
//!
//! [`writer`] is the one thread that writes, in batches ([`batch`]); [`dispatch`], [`claim`], [`settle`],
//! [`cancel`], [`signal`], [`hold`], [`workers`], [`queues`], [`schedules`], [`letters`] and [`prune`] are what it
//! can do, and [`keys`], [`limits`], [`insert`], [`stop`], [`run`],
//! [`end`], [`ended`], [`group`], [`join`], [`undo`] and [`inner`] what follows from that. [`read`] is the thread that
//! reads. All SQL is in [`sql`], and the tables are in `migrations/sqlite`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use super::writing::{effects, fleet, linger, mailbox, request, wait};
use crate::id::{RunId, TaskId, WorkId, WorkerId};
use crate::schedule::{Clock, Timestamp};
use crate::store::{
    AttemptRecord, Beat, CancelOutcome, Claim, Dispatched, Earlier, Edited, Finished, Inbox, LogLine, NewSchedule,
    NewWork, Notes, Peer, Prune, QueueChange, QueueRecord, Reply, Revived, RunFilter, RunRecord, ScheduleRecord,
    Selection, SignalOutcome, Store, StoreError, TaskFilter, TaskRecord, Turn, Violation, WorkerInfo,
};

mod batch;
mod callers;
mod cancel;
mod claim;
mod connection;
mod dispatch;
mod end;
mod ended;
mod fault;
mod group;
mod hold;
mod inner;
mod insert;
mod join;
mod keys;
mod letters;
mod limits;
mod migrate;
mod orphans;
mod points;
mod prune;
mod queues;
mod read;
mod run;
mod schedules;
mod settle;
mod signal;
mod sql;
mod stop;
#[cfg(test)]
mod tests;
mod undo;
mod value;
mod verify;
mod workers;
mod writer;

pub use connection::Pragmas;
use mailbox::{Mailbox, reply};
use read::Job;
use request::Request;
use wait::Waiters;

/// Work in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    mailbox: Mailbox<Sender<Request>>,
    jobs: Sender<Job>,
    waiters: Arc<Waiters>,
    threads: Vec<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the file, makes it if there is none, and brings its tables up to date. This blocks.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open_with(path, clock, None)
    }

    /// As [`open`](Self::open), but what is committed stays in the write-ahead log while the store is open, so
    /// that a test can cut it anywhere.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn open_without_checkpoints(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open_with(path, clock, Some(0))
    }

    fn open_with(path: &Path, clock: Arc<dyn Clock>, autocheckpoint: Option<u32>) -> Result<Self, StoreError> {
        let conn = connection::open_writer(path, autocheckpoint)?;
        let reader = connection::open_reader(path)?;
        let waiters = Arc::new(Waiters::default());
        let (requests, asked) = mpsc::channel();
        let (jobs, to_read) = mpsc::channel();
        let wake = requests.clone();
        clock.on_move(Arc::new(move || {
            // A store that is gone need not wake.
            let _ = wake.send(Request::Wake);
        }));
        let place = path.to_owned();
        let reads = start("evertask-read", move || read::run(reader, &place, &to_read))?;
        let setup = writer::Setup {
            conn,
            path: path.to_owned(),
            clock: Arc::clone(&clock),
            waiters: Arc::clone(&waiters),
            close_reader: close_reader(jobs.clone()),
        };
        let (started, has_started) = mpsc::channel();
        let writes = start("evertask-write", move || {
            // Whoever opens the store waits for this.
            writer::run(setup, &asked, |result| drop(started.send(result)));
        })?;
        has_started.recv().unwrap_or(Err(StoreError::Closed))?;
        let mailbox = Mailbox::new(requests);
        Ok(Self { path: path.to_owned(), clock, mailbox, jobs, waiters, threads: vec![writes, reads] })
    }

    /// How durable the open file is: read back from SQLite, not what it was asked for.
    pub fn pragmas(&self) -> Reply<Pragmas> {
        self.mailbox.ask(Request::Pragmas, ())
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> Result<T, fault::Fault> + Send + 'static,
    ) -> Reply<T> {
        reply(read::ask(&self.jobs, read))
    }
}

impl Store for SqliteStore {
    fn dispatch(&self, work: Vec<NewWork>) -> Reply<Vec<Dispatched>> {
        self.mailbox.dispatch(work)
    }

    fn attach(&self, worker: WorkerInfo, inbox: Inbox) -> Reply<()> {
        self.mailbox.ask(Request::Attach, (worker, inbox))
    }

    fn settle(&self, worker: WorkerId, finished: Vec<Finished>, free: Vec<(String, u32)>) {
        self.mailbox.settle(worker, finished, free);
    }

    fn detach(&self, worker: WorkerId) -> Reply<()> {
        self.mailbox.ask(Request::Detach, worker)
    }

    fn retire(&self, worker: WorkerId) -> Reply<()> {
        self.mailbox.ask(Request::Retire, worker)
    }

    fn beat(&self, worker: WorkerId) -> Reply<Beat> {
        self.mailbox.ask(Request::Beat, worker)
    }

    fn workers(&self) -> Reply<Vec<Peer>> {
        self.read(read::workers)
    }

    fn reclaim(&self, lapsed: Vec<Peer>) -> Reply<Vec<TaskId>> {
        self.mailbox.ask(Request::Reclaim, lapsed)
    }

    fn cancel(&self, selection: Selection) -> Reply<Vec<(WorkId, CancelOutcome)>> {
        self.mailbox.ask(Request::Cancel, selection)
    }

    fn note(&self, claim: Claim, notes: Notes) -> Reply<()> {
        self.mailbox.ask(Request::Note, (claim, notes))
    }

    fn signal(&self, run: RunId, step: String, was: &'static [&'static str], value: Vec<u8>) -> Reply<SignalOutcome> {
        self.mailbox.ask(Request::Signal, (run, step, was, value))
    }

    fn pause(&self, run: RunId) -> Reply<bool> {
        self.mailbox.ask(Request::Pause, run)
    }

    fn resume(&self, run: RunId) -> Reply<bool> {
        self.mailbox.ask(Request::Resume, run)
    }

    fn resume_undo(&self, run: RunId) -> Reply<bool> {
        self.mailbox.ask(Request::ResumeUndo, run)
    }

    fn earlier(&self, run: RunId, steps: Vec<String>) -> Reply<Earlier> {
        self.read(move |conn| read::earlier(conn, run, &steps))
    }

    fn expire_runs(&self) -> Reply<Vec<RunId>> {
        let now = self.clock.now();
        let due = self.read(move |conn| read::any_expired(conn, now));
        let mailbox = self.mailbox.clone();
        Box::pin(async move {
            // This is asked every second: only if there is something to do is it a matter for the writer.
            if !due.await? {
                return Ok(Vec::new());
            }
            mailbox.ask(Request::ExpireRuns, ()).await
        })
    }

    fn change_queue(&self, name: String, change: QueueChange) -> Reply<QueueRecord> {
        self.mailbox.ask(Request::ChangeQueue, (name, change))
    }

    fn queues(&self) -> Reply<Vec<QueueRecord>> {
        let now = self.clock.now();
        self.read(move |conn| queues::list(conn, now))
    }

    fn keep_schedules(&self, schedules: Vec<NewSchedule>) -> Reply<()> {
        self.mailbox.ask(Request::KeepSchedules, schedules)
    }

    fn drop_schedule(&self, id: String) -> Reply<bool> {
        self.mailbox.ask(Request::DropSchedule, id)
    }

    fn hold_schedule(&self, id: String, paused: bool, next: Option<Timestamp>) -> Reply<bool> {
        self.mailbox.ask(Request::HoldSchedule, (id, paused, next))
    }

    fn schedules(&self) -> Reply<Vec<ScheduleRecord>> {
        self.read(schedules::list)
    }

    fn due_schedules(&self) -> Reply<(Vec<ScheduleRecord>, Option<Timestamp>)> {
        let now = self.clock.now();
        self.read(move |conn| schedules::due(conn, now))
    }

    fn turn_schedule(&self, turn: Turn) -> Reply<Vec<Dispatched>> {
        self.mailbox.ask(Request::TurnSchedule, turn)
    }

    fn revive(&self, tasks: Vec<TaskId>, edited: Option<Edited>) -> Reply<Vec<(TaskId, Revived)>> {
        self.mailbox.ask(Request::Revive, (tasks, edited))
    }

    fn discard(&self, work: Vec<WorkId>) -> Reply<u64> {
        self.mailbox.ask(Request::Discard, work)
    }

    fn prune(&self, prune: Prune) -> Reply<u64> {
        // How far that goes is read: a limit of many costs, and is no matter for the writer.
        let reach = self.read(move |conn| prune::reach(conn, prune));
        let mailbox = self.mailbox.clone();
        Box::pin(async move { mailbox.ask(Request::Prune, (prune, reach.await?)).await })
    }

    fn task(&self, id: TaskId) -> Reply<Option<TaskRecord>> {
        self.read(move |conn| read::task(conn, id))
    }

    fn run(&self, id: RunId) -> Reply<Option<RunRecord>> {
        self.read(move |conn| read::run_of(conn, id))
    }

    fn tasks(&self, filter: TaskFilter) -> Reply<Vec<TaskRecord>> {
        self.read(move |conn| read::tasks(conn, filter))
    }

    fn runs(&self, filter: RunFilter) -> Reply<Vec<RunRecord>> {
        self.read(move |conn| read::runs(conn, filter))
    }

    fn log(&self, id: TaskId) -> Reply<Vec<LogLine>> {
        self.read(move |conn| read::log(conn, id))
    }

    fn attempts(&self, id: TaskId) -> Reply<Vec<AttemptRecord>> {
        self.read(move |conn| read::attempts(conn, id))
    }

    fn ended(&self, id: WorkId) -> Reply<()> {
        let (waiter, is_first) = self.waiters.register(id);
        if is_first {
            // The writer looks at what other processes do as long as somebody waits.
            self.mailbox.tell(Request::Wake);
        }
        let ended = self.read(move |conn| read::ended(conn, id));
        Box::pin(async move { if ended.await? || waiter.ended().await { Ok(()) } else { Err(StoreError::Closed) } })
    }

    fn verify(&self) -> Reply<Vec<Violation>> {
        self.read(verify::verify)
    }

    fn close(&self) -> Reply<()> {
        self.mailbox.ask(Request::Close, ())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // Both threads end when they have done what was asked before, and the file is closed then.
        self.mailbox.tell(Request::Stop);
        for thread in self.threads.drain(..) {
            // The last reply may hold the store, on one of the two: that one ends by itself.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!(path = %self.path.display(), "a thread of the store panicked");
            }
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

fn close_reader(jobs: Sender<Job>) -> Box<dyn FnOnce() + Send> {
    Box::new(move || {
        let (done, is_done) = mpsc::channel();
        // The reader drops its end when its connection is closed, or has ended before.
        let _ = jobs.send(Job::Close(done));
        let _ = is_done.recv();
    })
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map_err(|error| StoreError::Unavailable { reason: error.to_string() })
}
