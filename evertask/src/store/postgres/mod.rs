//! Work in a schema of a PostgreSQL database, for as many nodes as there are.
//!
//! Each store has a thread with three tasks ([`start`]): [`writer`] writes, in batches ([`batch`]), [`reader`] reads, and
//! [`news`] listens to the other nodes. Each has a connection of its own ([`link`]), and callers wait for an answer:
//! no statement is ever abandoned half way because a caller went away. [`dispatch`], [`claim`], [`settle`],
//! [`cancel`], [`signal`], [`hold`], [`queues`], [`workers`], [`schedules`], [`letters`] and [`prune`] are what the
//! writer can do, and [`insert`], [`stop`], [`run`], [`end`], [`group`], [`join`], [`undo`] and [`inner`] what follows
//! from that; [`guard`], [`keys`] and [`limits`] say what is added, and what starts. All SQL is in [`sql`], and the
//! tables are in `migrations/postgres`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

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
mod clock;
mod dispatch;
mod end;
mod fault;
mod group;
mod guard;
mod hold;
mod inner;
mod insert;
mod join;
mod keys;
mod letters;
mod limits;
mod link;
mod migrate;
mod news;
mod outage;
mod patience;
mod points;
mod prune;
mod queues;
mod read;
mod reader;
mod requests;
mod run;
mod schedules;
mod settle;
mod signal;
mod sql;
mod start;
mod stop;
#[cfg(all(test, feature = "testing", unix))]
mod tests;
mod undo;
mod url;
mod value;
mod verify;
mod workers;
mod writer;

use clock::DatabaseClock;
use mailbox::{Mailbox, reply};
use news::Heard;
use patience::Patience;
use reader::{Job, Living, Reading};
use request::Request;
pub(crate) use requests::{Asked, Deed, Desk, SqlOptions, Wish};
use start::Tasks;
use url::Place;
use wait::Waiters;

/// How old what is read of other workers' lives may be, for a lease of half a minute or more; else this part of it:
/// it is read about once between two signs of life of this process.
const LIVES_AGE: Duration = Duration::from_secs(5);
const LIVES_PART: u32 = 6;

/// Work in a schema of a PostgreSQL database.
pub struct PostgresStore {
    place: Place,
    clock: Arc<dyn Clock>,
    mailbox: Mailbox<mpsc::UnboundedSender<Request>>,
    jobs: mpsc::UnboundedSender<Job>,
    waiters: Arc<Waiters>,
    heard: Arc<Heard>,
    patience: Arc<Patience>,
    /// In milliseconds.
    lives_age: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

impl PostgresStore {
    /// Opens the schema that the URL names, makes it if there is none, and brings its tables up to date. Work is
    /// due by the database's clock.
    ///
    /// `postgres://user:password@host:port/database`, with what the driver knows (`sslmode=verify-full` and its like,
    /// with the feature `postgres-tls`), and with
    /// - `schema`: where the tables are, `evertask` if it is not said;
    /// - `pooler=transaction`: behind a pooler such as pgbouncer in transaction mode. Then nothing is kept in a
    ///   session, and no statement is prepared for longer than its transaction;
    /// - `listen`: another, percent-encoded, URL on which to listen for news, which can't be done behind such a
    ///   pooler; or `off`. Who does not listen looks for news every five seconds.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let time = Arc::new(DatabaseClock::default());
        Self::start(url, time.clone(), Some(time)).await
    }

    /// The same, by another clock than the database's.
    pub async fn open_with_clock(url: &str, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::start(url, clock, None).await
    }

    /// The clock by which work is due.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    async fn start(url: &str, clock: Arc<dyn Clock>, time: Option<Arc<DatabaseClock>>) -> Result<Self, StoreError> {
        let place = Place::parse(url)?;
        let patience = Arc::clone(&place.patience);
        let waiters = Arc::new(Waiters::default());
        let (requests, asked) = mpsc::unbounded_channel();
        let (jobs, to_read) = mpsc::unbounded_channel();
        let wake = requests.clone();
        clock.on_move(Arc::new(move || {
            // A store that is gone need not wake.
            let _ = wake.send(Request::Wake);
        }));
        let (started, has_started) = oneshot::channel();
        let heard = Arc::new(Heard::default());
        let tasks = Tasks {
            place,
            clock: Arc::clone(&clock),
            time,
            waiters: Arc::clone(&waiters),
            heard: Arc::clone(&heard),
            asked,
            jobs: jobs.clone(),
            to_read,
        };
        let unavailable = |error: std::io::Error| StoreError::Unavailable { reason: error.to_string() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unavailable)?;
        let thread = thread::Builder::new().name("evertask-postgres".to_owned());
        let thread = thread
            .spawn(move || tokio::task::LocalSet::new().block_on(&runtime, tasks.run(started)))
            .map_err(unavailable)?;
        let place = has_started.await.unwrap_or(Err(StoreError::Closed))?;
        Ok(Self {
            place,
            clock,
            mailbox: Mailbox::new(requests),
            jobs,
            waiters,
            heard,
            patience,
            lives_age: AtomicU64::new(millis(LIVES_AGE)),
            thread: Some(thread),
        })
    }

    fn read<T: Send + 'static>(&self, read: Reading<T>) -> Reply<T> {
        reply(reader::ask(&self.jobs, read))
    }

    /// Who lives, and what comes next.
    fn lives(&self) -> Reply<Living> {
        let (sender, answer) = oneshot::channel();
        let age = Duration::from_millis(self.lives_age.load(Ordering::Relaxed));
        let _ = self.jobs.send(Job::Lives(sender, age));
        reply(answer)
    }
}

impl Store for PostgresStore {
    fn dispatch(&self, work: Vec<NewWork>) -> Reply<Vec<Dispatched>> {
        self.mailbox.dispatch(work)
    }

    fn attach(&self, worker: WorkerInfo, inbox: Inbox) -> Reply<()> {
        let age = millis(worker.lease / LIVES_PART).max(1);
        self.lives_age.fetch_min(age, Ordering::Relaxed);
        self.patience.keep(worker.lease);
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
        let lives = self.lives();
        Box::pin(async move { Ok(lives.await?.peers) })
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
        let steps: Arc<[String]> = steps.into();
        self.read(Box::new(move |link| {
            let steps = Arc::clone(&steps);
            Box::pin(async move { read::earlier(link, run, &steps).await })
        }))
    }

    fn expire_runs(&self) -> Reply<Vec<RunId>> {
        let lives = self.lives();
        let (mailbox, clock) = (self.mailbox.clone(), Arc::clone(&self.clock));
        Box::pin(async move {
            // This is asked every second: only if there is something to do is it a matter for the writer.
            if lives.await?.deadline.is_none_or(|deadline| deadline > clock.now()) {
                return Ok(Vec::new());
            }
            mailbox.ask(Request::ExpireRuns, ()).await
        })
    }

    fn change_queue(&self, name: String, change: QueueChange) -> Reply<QueueRecord> {
        self.mailbox.ask(Request::ChangeQueue, (name, change))
    }

    fn queues(&self) -> Reply<Vec<QueueRecord>> {
        let clock = Arc::clone(&self.clock);
        self.read(Box::new(move |link| {
            let now = clock.now();
            Box::pin(queues::list(link, now))
        }))
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
        self.read(Box::new(|link| Box::pin(schedules::list(link))))
    }

    fn due_schedules(&self) -> Reply<(Vec<ScheduleRecord>, Option<Timestamp>)> {
        let lives = self.lives();
        let (jobs, clock) = (self.jobs.clone(), Arc::clone(&self.clock));
        Box::pin(async move {
            // This is asked every second: only if a slot has come is it looked at which.
            let slot = lives.await?.slot;
            if slot.is_none_or(|slot| slot > clock.now()) {
                return Ok((Vec::new(), slot));
            }
            let due: Reading<_> = Box::new(move |link| {
                let now = clock.now();
                Box::pin(schedules::due(link, now))
            });
            reply(reader::ask(&jobs, due)).await
        })
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
        let reach = self.read(Box::new(move |link| Box::pin(prune::reach(link, prune))));
        let mailbox = self.mailbox.clone();
        Box::pin(async move { mailbox.ask(Request::Prune, (prune, reach.await?)).await })
    }

    fn task(&self, id: TaskId) -> Reply<Option<TaskRecord>> {
        self.read(Box::new(move |link| Box::pin(read::task(link, id))))
    }

    fn run(&self, id: RunId) -> Reply<Option<RunRecord>> {
        self.read(Box::new(move |link| Box::pin(read::run_of(link, id))))
    }

    fn tasks(&self, filter: TaskFilter) -> Reply<Vec<TaskRecord>> {
        let filter = Arc::new(filter);
        self.read(Box::new(move |link| {
            let filter = Arc::clone(&filter);
            Box::pin(async move { read::tasks(link, &filter).await })
        }))
    }

    fn runs(&self, filter: RunFilter) -> Reply<Vec<RunRecord>> {
        let filter = Arc::new(filter);
        self.read(Box::new(move |link| {
            let filter = Arc::clone(&filter);
            Box::pin(async move { read::runs(link, &filter).await })
        }))
    }

    fn log(&self, id: TaskId) -> Reply<Vec<LogLine>> {
        self.read(Box::new(move |link| Box::pin(read::log(link, id))))
    }

    fn attempts(&self, id: TaskId) -> Reply<Vec<AttemptRecord>> {
        self.read(Box::new(move |link| Box::pin(read::attempts(link, id))))
    }

    fn ended(&self, id: WorkId) -> Reply<()> {
        let (waiter, is_first) = self.waiters.register(id);
        if is_first {
            // The writer looks at what other nodes do as long as somebody waits.
            self.mailbox.tell(Request::Wake);
        }
        let ended = self.read(Box::new(move |link| Box::pin(async move { read::ended(link, &[id]).await })));
        Box::pin(async move {
            if !ended.await?.is_empty() || waiter.ended().await { Ok(()) } else { Err(StoreError::Closed) }
        })
    }

    fn verify(&self) -> Reply<Vec<Violation>> {
        self.read(Box::new(|link| Box::pin(verify::verify(link))))
    }

    fn close(&self) -> Reply<()> {
        self.mailbox.ask(Request::Close, ())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // The thread ends when it has done what was asked before, or the database has not let it.
        self.mailbox.tell(Request::Stop);
        let Some(thread) = self.thread.take() else { return };
        // The last reply may hold the store, on that thread: then it ends by itself.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            tracing::error!(database = self.place.shown, "the thread of the store panicked");
        }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("database", &self.place.shown).finish_non_exhaustive()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
