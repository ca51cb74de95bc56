//! What is added to a store: tasks, runs, items, and the members of joins.

use std::borrow::Cow;
use std::time::Duration;

use crate::id::{RunId, TaskId, WorkId};
use crate::schedule::Timestamp;
use crate::store::Rate;

/// A task to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// The name of the task.
    pub name: Cow<'static, str>,
    /// The queue it waits in.
    pub queue: Cow<'static, str>,
    /// Higher first.
    pub priority: i16,
    /// How long it waits before it is due.
    pub delay: Duration,
    /// When it is due, instead.
    pub at: Option<Timestamp>,
    /// Its payload, as JSON.
    pub payload: Vec<u8>,
    /// The idempotency key, unique among tasks of the name.
    pub key: Option<String>,
    /// What it belongs to, for its users.
    pub correlation: Option<String>,
    /// The task that it follows, or that dispatched it.
    pub parent: Option<TaskId>,
    /// The run that it is part of.
    pub of: Option<StepOf>,
    /// Whether a worker must end it when it is cancelled, because something follows (`on_cancel`).
    pub cancel_routed: bool,
    /// What it waits for before it is ready.
    pub wait: Option<Wait>,
    /// How many tasks of its step a run may have; one more fails the run.
    pub visits: Option<u32>,
    /// Names that its step had, under which signals, visits and arrivals may be kept.
    pub was: &'static [&'static str],
    /// What most tasks do not have.
    pub terms: Option<Box<Terms>>,
}

impl NewTask {
    /// The names of its step: that of today, then those that it had.
    pub fn step_names(&self) -> impl Iterator<Item = &str> {
        let today = self.of.as_ref().and_then(|of| of.step.as_deref());
        today.into_iter().chain(self.was.iter().copied())
    }
}

/// What most tasks do not have, apart so that those stay small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// What happens when its key is taken.
    pub on_key: OnKey,
    /// The longest that it may take in all, from when it is first due.
    pub deadline: Option<Duration>,
    /// How many tasks that share this limit may start in a time.
    pub rate: Option<RateLimit>,
    /// How many tasks that share this limit may run at once.
    pub slots: Option<SlotLimit>,
    /// What its dispatch said of how it runs, as JSON; a worker reads it.
    pub own: Option<Vec<u8>>,
}

/// What happens when a key is taken by work of the same name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnKey {
    /// That work is given back, with its result if it has ended.
    #[default]
    Return,
    /// That work gets this payload, priority and time if it has not started yet; otherwise it is given back.
    Replace,
    /// The dispatch is an error. Of what follows a task, nothing is added.
    Refuse,
    /// That work is given back for so long after it was added; after that, this is new work, which has the key.
    Renew(Duration),
}

/// So many tasks of the same bucket may start in a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Which tasks share it.
    pub bucket: String,
    /// How many.
    pub rate: Rate,
}

/// So many tasks of the same bucket may run at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotLimit {
    /// Which tasks share it.
    pub bucket: String,
    /// How many; at least one.
    pub most: u32,
}

/// What a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wait {
    /// A signal for its step, until it is due; then it is ready without one.
    Signal,
    /// Its turn among the items of its `each`.
    Turn,
    /// The failure of its run: it undoes a step.
    Undo,
    /// The run of a workflow that is a step.
    Run,
    /// Its run is held.
    Pause,
    /// A slot of its [`SlotLimit`]: as many tasks of the bucket run as may.
    Slot,
}

impl Wait {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Turn => "turn",
            Self::Undo => "undo",
            Self::Run => "run",
            Self::Pause => "pause",
            Self::Slot => "slot",
        }
    }
}

/// One task for each item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEach {
    /// Its id, from which its tasks' ids follow.
    pub id: uuid::Uuid,
    /// The tasks, in the order of the items.
    pub tasks: Vec<NewTask>,
    /// How many of them may be ready or running at once.
    pub limit: Option<u32>,
    /// What happens when there are no items and a join waits for them.
    pub arrival: Option<Arrival>,
}

/// A member of a join has ended. The transaction that sees the last member arrive adds the joined task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The join's name, unique in its workflow: that of the step that follows. It had the names that the step had.
    pub join: Cow<'static, str>,
    /// Which member has arrived, by its place in `members`.
    pub member: u32,
    /// The members' steps.
    pub members: Vec<Member>,
    /// Whether each output is given as a `Result`, because members may fail.
    pub settled: bool,
    /// The task that follows, without its payload: that is the JSON array of the members' outputs.
    pub then: NewTask,
}

/// A member of a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its step.
    pub step: Cow<'static, str>,
    /// Names that the step had, under which its tasks may be kept.
    pub was: &'static [&'static str],
    /// Whether it is the array of the outputs of an `each`, in the order of the items.
    pub each: bool,
}

impl Member {
    /// The names of its step: that of today, then those that it had.
    pub fn step_names(&self) -> impl Iterator<Item = &str> {
        [&*self.step].into_iter().chain(self.was.iter().copied())
    }
}

/// A run to add, with its first task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// The workflow's name.
    pub workflow: Cow<'static, str>,
    /// The workflow's version.
    pub version: u32,
    /// The workflow's payload, as JSON.
    pub input: Vec<u8>,
    /// The output until a step says otherwise; `None` where one is promised.
    pub output: Option<Vec<u8>>,
    /// The idempotency key, unique among runs of the workflow.
    pub key: Option<String>,
    /// What happens when it is taken.
    pub on_key: OnKey,
    /// What it belongs to, for its users.
    pub correlation: Option<String>,
    /// The task that it follows, or that dispatched it.
    pub parent: Option<TaskId>,
    /// The longest that it may take, from when its first task is due.
    pub timeout: Option<Duration>,
    /// Whether the workflow has edges of its own: then its end adds one task.
    pub end_routed: bool,
    /// The first task.
    pub first: NewTask,
    /// The step of another run that this run is: it waits for this run's end.
    pub step: Option<NewTask>,
    /// What identifies the shape of the workflow.
    pub fingerprint: u64,
}

/// Work to add.
#[derive(Debug, Clone, PartialEq, Eq)]
// Most work is tasks: a box for each would be an allocation for each.
#[allow(clippy::large_enum_variant)]
pub enum NewWork {
    /// A task.
    Task(NewTask),
    /// A run, in a box: it holds a task too.
    Run(Box<NewRun>),
    /// One task for each item.
    Each(NewEach),
}

/// What a task of a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOf {
    /// The run.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: Cow<'static, str>,
    /// The step of its block; none for a task that follows its own arms.
    pub step: Option<Cow<'static, str>>,
}

/// What became of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dispatched {
    /// The id: of the work given, or of that which has its key.
    pub id: WorkId,
    /// Whether the key was taken, so that nothing was added.
    pub existing: bool,
}
