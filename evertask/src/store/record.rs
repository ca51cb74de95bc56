//! What is read from a store: states, records, and which of them; and what was asked of work from outside.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::failure::FailureReport;
use crate::id::{RunId, TaskId, WorkId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::{ParkReason, Wait};

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignalOutcome {
    /// A step waited for it, and goes on.
    Delivered,
    /// No step waits for it yet: it is kept.
    Kept,
    /// There was one before, and no step waits for another: it is refused.
    Repeated,
    /// The run has ended.
    Ended,
    /// There is no such run.
    NotFound,
}

/// What a run had before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Its payload.
    pub input: Vec<u8>,
    /// For each step that was asked for: the output of its last task that succeeded.
    pub outputs: Vec<Option<Vec<u8>>>,
}

/// What to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection {
    /// These tasks and runs.
    Ids(Vec<WorkId>),
    /// Everything that belongs to this.
    Correlation(String),
    /// Every task, and every run, of this name.
    Name(String),
}

/// What became of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelOutcome {
    /// It waited, and has ended.
    Cancelled,
    /// It runs and is told, or something follows its cancel that a worker must do first.
    Requested,
    /// It had ended.
    AlreadyFinished,
    /// There is no such work.
    NotFound,
}

/// The states of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// It waits for a signal, its turn, a run, or to undo; see [`Wait`].
    Waiting,
    /// It runs as soon as a slot is free and it is due; a delayed one and one that waits to retry too.
    Ready,
    /// A worker has it.
    Running,
    /// It ended well.
    Succeeded,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It can't be read; it resumes when a worker knows it.
    Parked,
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Waiting, Self::Ready, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled, Self::Parked];

    /// Whether nothing changes it any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Parked => "parked",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The states of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It has work to do.
    Running,
    /// It is held: nothing new of it starts.
    Paused,
    /// It is being cancelled: what runs is told, and nothing follows but `on_cancel`.
    Cancelling,
    /// It has failed: what runs is told to stop, and nothing follows.
    Compensating,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Running,
        Self::Paused,
        Self::Cancelling,
        Self::Compensating,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether nothing changes it any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelling => "cancelling",
            Self::Compensating => "compensating",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A task as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskRecord {
    /// Its id.
    pub id: TaskId,
    /// The name of the task.
    pub name: String,
    /// The queue it waits in.
    pub queue: String,
    /// Its state.
    pub state: TaskState,
    /// Higher first.
    pub priority: i16,
    /// When it is or was due.
    pub run_at: Timestamp,
    /// Its payload, as JSON.
    pub payload: Vec<u8>,
    /// Its output, as JSON, once it succeeded.
    pub output: Option<Vec<u8>>,
    /// Why it failed last.
    pub failure: Option<FailureReport>,
    /// The final error, as JSON, where its type can be stored.
    pub error: Option<Vec<u8>>,
    /// Why it is parked.
    pub parked: Option<(ParkReason, String)>,
    /// The fence of its last claim: how often it was claimed.
    pub fence: i64,
    /// Attempts that failed.
    pub failures: u32,
    /// Workers that died with it.
    pub crashes: u32,
    /// Times that it was put back without fault: snoozes and shutdowns.
    pub interrupts: u32,
    /// The worker that has it.
    pub worker: Option<WorkerId>,
    /// Whether a cancel was asked for.
    pub cancel_requested: bool,
    /// The idempotency key.
    pub key: Option<String>,
    /// What it belongs to.
    pub correlation: Option<String>,
    /// The task that it follows, or that dispatched it.
    pub parent: Option<TaskId>,
    /// The run that it is part of.
    pub run: Option<RunId>,
    /// The workflow of that run.
    pub workflow: Option<String>,
    /// The step of its block.
    pub step: Option<String>,
    /// What it waits for, while it waits.
    pub wait: Option<Wait>,
    /// Its place among the items of its `each`.
    pub item: Option<u32>,
    /// Whether it undoes a step.
    pub is_undo: bool,
    /// Done, of how many.
    pub progress: Option<(u64, u64)>,
    /// When its time in all is up.
    pub deadline: Option<Timestamp>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version when it started.
    pub version: u32,
    /// What identified the shape of the workflow then.
    pub fingerprint: u64,
    /// Its state.
    pub state: RunState,
    /// The workflow's payload, as JSON.
    pub input: Vec<u8>,
    /// Its output, as JSON.
    pub output: Option<Vec<u8>>,
    /// Why it failed.
    pub failure: Option<FailureReport>,
    /// Tasks of it that have not ended.
    pub open_tasks: u32,
    /// The idempotency key.
    pub key: Option<String>,
    /// What it belongs to.
    pub correlation: Option<String>,
    /// The task that it follows, or that dispatched it.
    pub parent: Option<TaskId>,
    /// When its time is up.
    pub deadline: Option<Timestamp>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// An attempt that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptRecord {
    /// Its fence.
    pub fence: i64,
    /// When it ended.
    pub at: Timestamp,
    /// What went wrong.
    pub report: FailureReport,
}

/// Which tasks to list. Every field that is given must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskFilter {
    /// In one of these states; any, if empty.
    pub states: Vec<TaskState>,
    /// Of this name.
    pub name: Option<String>,
    /// In this queue.
    pub queue: Option<String>,
    /// Of this run.
    pub run: Option<RunId>,
    /// That belong to this.
    pub correlation: Option<String>,
    /// Later than this one: the next page.
    pub after: Option<TaskId>,
    /// At most so many; 100 if not said.
    pub limit: Option<u32>,
}

/// Which runs to list. Every field that is given must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunFilter {
    /// In one of these states; any, if empty.
    pub states: Vec<RunState>,
    /// Of this workflow.
    pub workflow: Option<String>,
    /// That belong to this.
    pub correlation: Option<String>,
    /// Later than this one: the next page.
    pub after: Option<RunId>,
    /// At most so many; 100 if not said.
    pub limit: Option<u32>,
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which.
    pub invariant: &'static str,
    /// The task or run.
    pub id: String,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.invariant, self.id, self.detail)
    }
}

impl TaskFilter {
    /// Every task.
    pub fn new() -> Self {
        Self::default()
    }

    /// In this state, or in another that was given.
    #[must_use]
    pub fn state(mut self, state: TaskState) -> Self {
        self.states.push(state);
        self
    }

    /// Of this name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// In this queue.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Of this run.
    #[must_use]
    pub fn run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// That belong to this.
    #[must_use]
    pub fn correlation_id(mut self, correlation: impl Into<String>) -> Self {
        self.correlation = Some(correlation.into());
        self
    }

    /// Later than this one: the next page.
    #[must_use]
    pub fn after(mut self, id: TaskId) -> Self {
        self.after = Some(id);
        self
    }

    /// At most so many; 100 if not said.
    #[must_use]
    pub fn limit(mut self, tasks: u32) -> Self {
        self.limit = Some(tasks);
        self
    }
}

impl RunFilter {
    /// Every run.
    pub fn new() -> Self {
        Self::default()
    }

    /// In this state, or in another that was given.
    #[must_use]
    pub fn state(mut self, state: RunState) -> Self {
        self.states.push(state);
        self
    }

    /// Of this workflow.
    #[must_use]
    pub fn workflow(mut self, workflow: impl Into<String>) -> Self {
        self.workflow = Some(workflow.into());
        self
    }

    /// That belong to this.
    #[must_use]
    pub fn correlation_id(mut self, correlation: impl Into<String>) -> Self {
        self.correlation = Some(correlation.into());
        self
    }

    /// Later than this one: the next page.
    #[must_use]
    pub fn after(mut self, id: RunId) -> Self {
        self.after = Some(id);
        self
    }

    /// At most so many; 100 if not said.
    #[must_use]
    pub fn limit(mut self, runs: u32) -> Self {
        self.limit = Some(runs);
        self
    }
}
