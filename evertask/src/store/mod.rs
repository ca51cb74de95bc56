//! Where work is kept: one trait of verbs, the same on every backend.
//!
//! Each verb is one transaction. Whatever changes a running task carries the [`Claim`]'s fence, and a
//! claim that is no longer the task's changes nothing. `memory` and `sqlite` implement the trait; the
//! suite in `testing` says what it means. What the verbs take and give is in `work`, `attempt`,
//! `worker` and `record`.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use crate::id::{RunId, TaskId, WorkId, WorkerId};
use crate::schedule::Timestamp;

mod attempt;
mod error;
mod letters;
pub(crate) mod memory;
mod on_commit;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
mod queue;
mod record;
mod retention;
pub(crate) mod rules;
mod schedule;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
mod work;
mod worker;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod writing;

pub use attempt::{Claim, Claimed, Finished, Follow, Got, LogLine, Notes, ParkReason, Settled, Verdict};
pub use error::StoreError;
pub use letters::{Edited, Revived};
pub use memory::MemoryStore;
pub use on_commit::OnCommit;
#[cfg(feature = "sqlite")]
pub(crate) use on_commit::writes_effects;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
pub use queue::{QueueChange, QueueRecord, QueueRules, QueueState, Rate};
pub use record::{
    AttemptRecord, CancelOutcome, Earlier, RunFilter, RunRecord, RunState, Selection, SignalOutcome, TaskFilter,
    TaskRecord, TaskState, Violation,
};
pub use retention::{Keep, Prune};
pub use schedule::{Firing, NewSchedule, ScheduleRecord, Turn};
#[cfg(feature = "sqlite")]
pub use sqlite::{Pragmas, SqliteStore};
pub use work::{
    Arrival, Dispatched, Member, NewEach, NewRun, NewTask, NewWork, OnKey, RateLimit, SlotLimit, StepOf, Terms, Wait,
};
pub use worker::{Beat, Delivery, Inbox, Known, Peer, WorkerInfo};

/// What a verb answers, when its transaction is on disk.
pub type Reply<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// A store of durable work. A caller that drops a reply does not undo the verb.
pub trait Store: Send + Sync + 'static {
    /// Adds work, all of it or none. A key that is taken by work of the same name gives that work instead.
    fn dispatch(&self, work: Vec<NewWork>) -> Reply<Vec<Dispatched>>;

    /// A worker begins its life: it is listed with what it knows, and whatever was parked because nobody
    /// knew it, and this worker does, is ready again. Claims and answers to `settle` come to `inbox`.
    fn attach(&self, worker: WorkerInfo, inbox: Inbox) -> Reply<()>;

    /// Ends attempts, and says which slots are free, in one transaction with the claims that fill them.
    /// It answers with one [`Delivery::Settled`], or [`Delivery::Unsettled`], for the call; claims come
    /// as [`Delivery::Claimed`] now or whenever there is something to claim. Free slots add up.
    fn settle(&self, worker: WorkerId, finished: Vec<Finished>, free: Vec<(String, u32)>);

    /// Claims no more for this worker. What was claimed before is in the inbox when this answers.
    fn detach(&self, worker: WorkerId) -> Reply<()>;

    /// A worker's life ends: its row goes, and what it still holds is handed back as interrupted.
    fn retire(&self, worker: WorkerId) -> Reply<()>;

    /// A sign of life, which keeps all of the worker's claims.
    fn beat(&self, worker: WorkerId) -> Reply<Beat>;

    /// The workers that are listed, with their last sign of life.
    fn workers(&self) -> Reply<Vec<Peer>>;

    /// Takes their claims from workers that died, unless they gave a sign of life since `peer.beat`.
    /// Each such task is ready again, with one crash more.
    fn reclaim(&self, lapsed: Vec<Peer>) -> Reply<Vec<TaskId>>;

    /// Cancels what the selection names: work that waits ends now, running tasks are told.
    fn cancel(&self, selection: Selection) -> Reply<Vec<(WorkId, CancelOutcome)>>;

    /// Keeps a running task's progress and log lines, if the claim still holds.
    fn note(&self, claim: Claim, notes: Notes) -> Reply<()>;

    /// Gives a run a value from outside, for the step that waits for it now or later, by its name of today or by one
    /// that it had.
    fn signal(&self, run: RunId, step: String, was: &'static [&'static str], value: Vec<u8>) -> Reply<SignalOutcome>;

    /// Holds a run: what runs ends and is kept, nothing new of it starts. Says whether it was running.
    fn pause(&self, run: RunId) -> Reply<bool>;

    /// Lets a held run go on. Says whether it was held.
    fn resume(&self, run: RunId) -> Reply<bool>;

    /// Goes on with the compensation of a failed run, from the undo that failed. Says whether there is one.
    fn resume_undo(&self, run: RunId) -> Reply<bool>;

    /// The input of a run and the last outputs of steps of it, for an arm that names them.
    fn earlier(&self, run: RunId, steps: Vec<String>) -> Reply<Earlier>;

    /// Fails the runs whose time is up.
    fn expire_runs(&self) -> Reply<Vec<RunId>>;

    /// Holds a queue, lets it go, has it emptied, or changes its rules. The queue as it is then.
    fn change_queue(&self, name: String, change: QueueChange) -> Reply<QueueRecord>;

    /// The queues, by name.
    fn queues(&self) -> Reply<Vec<QueueRecord>>;

    /// Keeps schedules. One that is there with the same spec, name and template stays as it is; another spec sets its
    /// next slot. What it counted, and whether it is held, stays.
    fn keep_schedules(&self, schedules: Vec<NewSchedule>) -> Reply<()>;

    /// Forgets a schedule. What it has started stays. Says whether it was there.
    fn drop_schedule(&self, id: String) -> Reply<bool>;

    /// Holds a schedule, or lets it go on with this next slot. Says whether that changed anything.
    fn hold_schedule(&self, id: String, paused: bool, next: Option<Timestamp>) -> Reply<bool>;

    /// The schedules, by id.
    fn schedules(&self) -> Reply<Vec<ScheduleRecord>>;

    /// The schedules whose next slot has come and that are not held, and when the first of the others comes.
    fn due_schedules(&self) -> Reply<(Vec<ScheduleRecord>, Option<Timestamp>)>;

    /// Starts occurrences and moves the schedule on, in one transaction. What was started; nothing, if the revision
    /// is another by now: somebody else did it.
    fn turn_schedule(&self, turn: Turn) -> Reply<Vec<Dispatched>>;

    /// Failed tasks are ready again, with this payload and its limits if they are given, and the runs that failed with
    /// them go on.
    fn revive(&self, tasks: Vec<TaskId>, edited: Option<Edited>) -> Reply<Vec<(TaskId, Revived)>>;

    /// Removes what has ended or is parked, runs whole. How many pieces of work went.
    fn discard(&self, work: Vec<WorkId>) -> Reply<u64>;

    /// Removes what need not be kept, a small batch at a time. How many rows went: none, when there is no more.
    fn prune(&self, prune: Prune) -> Reply<u64>;

    /// One task.
    fn task(&self, id: TaskId) -> Reply<Option<TaskRecord>>;

    /// One run.
    fn run(&self, id: RunId) -> Reply<Option<RunRecord>>;

    /// Tasks that match, oldest first.
    fn tasks(&self, filter: TaskFilter) -> Reply<Vec<TaskRecord>>;

    /// Runs that match, oldest first.
    fn runs(&self, filter: RunFilter) -> Reply<Vec<RunRecord>>;

    /// A task's log lines, oldest first.
    fn log(&self, id: TaskId) -> Reply<Vec<LogLine>>;

    /// A task's attempts that did not succeed, oldest first.
    fn attempts(&self, id: TaskId) -> Reply<Vec<AttemptRecord>>;

    /// Answers when the task or run has ended, or when it may have: the caller looks again.
    fn ended(&self, id: WorkId) -> Reply<()>;

    /// Checks the invariants. An empty answer is a sound store.
    fn verify(&self) -> Reply<Vec<Violation>>;

    /// Answers when everything given so far is on disk; nothing is taken after it.
    fn close(&self) -> Reply<()>;

    /// The store that does it, for what only one kind of store can do. One that wraps another gives that one's.
    fn as_any(&self) -> &dyn Any;
}
