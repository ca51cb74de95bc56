//! The rows of tasks and runs.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::failure::FailureReport;
use crate::id::{RunId, TaskId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::{AttemptRecord, Claim, Got, LogLine, ParkReason, RunRecord, TaskState, Terms, Wait};

use super::joins::Arrived;
use super::state::{KindId, Order, QueueId};

/// A task.
#[derive(Debug)]
// Each of them is a fact of its own.
#[allow(clippy::struct_excessive_bools)]
pub(super) struct Row {
    pub(super) id: TaskId,
    pub(super) kind: KindId,
    pub(super) queue: QueueId,
    /// Its place among all tasks, by arrival.
    pub(super) number: usize,
    pub(super) state: TaskState,
    pub(super) priority: i16,
    pub(super) run_at: Timestamp,
    /// Its place in the order of claims, since it got ready.
    pub(super) rank: i64,
    /// Whether it is in the indexes.
    pub(super) indexed: bool,
    /// Whether it is ready and waits in its queue, not for its time.
    pub(super) due: bool,
    pub(super) payload: Vec<u8>,
    pub(super) output: Option<Vec<u8>>,
    pub(super) failure: Option<FailureReport>,
    pub(super) error: Option<Vec<u8>>,
    pub(super) parked: Option<(ParkReason, String)>,
    pub(super) fence: i64,
    pub(super) failures: u32,
    pub(super) crashes: u32,
    pub(super) interrupts: u32,
    pub(super) worker: Option<WorkerId>,
    pub(super) cancel_requested: bool,
    pub(super) cancel_routed: bool,
    pub(super) key: Option<String>,
    pub(super) correlation: Option<String>,
    pub(super) parent: Option<TaskId>,
    pub(super) run: Option<RunId>,
    pub(super) wait: Option<Wait>,
    /// What it waited for, and has got.
    pub(super) got: Option<Got>,
    /// Its `each`, and its place among the items.
    pub(super) item: Option<(Uuid, u32)>,
    pub(super) is_undo: bool,
    pub(super) terms: Option<Box<Terms>>,
    pub(super) deadline: Option<Timestamp>,
    /// The time that its rate has given it.
    pub(super) reserved: Option<Timestamp>,
    /// Whether something has followed its failure.
    pub(super) followed: bool,
    /// What it waited for when the failure of its run stopped it, if that did.
    pub(super) stopped: Option<Stopped>,
    pub(super) progress: Option<(u64, u64)>,
    pub(super) created_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) lines: Vec<LogLine>,
    pub(super) attempts: Vec<AttemptRecord>,
}

impl Row {
    pub(super) fn order(&self) -> Order {
        Order { rank: self.rank, number: self.number }
    }

    pub(super) fn claim(&self) -> Claim {
        Claim { id: self.id, fence: self.fence }
    }

    /// Whether it waits until its run fails: until then it is no work.
    pub(super) fn is_undo_in_waiting(&self) -> bool {
        self.is_undo && self.state == TaskState::Waiting
    }

    /// Whether it is among the open tasks of its run.
    pub(super) fn is_open(&self) -> bool {
        !self.state.is_terminal() && !self.is_undo_in_waiting()
    }

    /// Whether it still has its place among those of its bucket of slots, or is on the way to it.
    pub(super) fn keeps_slot(&self, bucket: &str, was: TaskState) -> bool {
        let was_ready = was == TaskState::Ready;
        match (self.state, self.wait) {
            (TaskState::Running, _) => true,
            (TaskState::Waiting, Some(Wait::Slot)) => was_ready,
            (TaskState::Ready, _) => was_ready && self.due && self.slot_bucket() == Some(bucket),
            _ => false,
        }
    }

    /// Whether it is a signal's time-out, or its own time, that makes it due.
    pub(super) fn has_time(&self) -> bool {
        match self.state {
            TaskState::Ready => true,
            TaskState::Waiting => self.wait == Some(Wait::Signal) && self.run_at < FOR_EVER,
            _ => false,
        }
    }
}

/// Never.
pub(super) const FOR_EVER: Timestamp = Timestamp::from_millis(i64::MAX);

/// A task was stopped by the failure of its run, while it waited for this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped(pub(super) Option<Wait>);

/// What a run has had of one of its steps. What undoes a step is none.
#[derive(Debug)]
pub(super) struct StepRow {
    pub(super) kind: KindId,
    /// How many tasks it had.
    pub(super) visits: u32,
    /// The last by arrival that has succeeded, and that has ended, with their numbers.
    pub(super) succeeded: Option<(usize, TaskId)>,
    pub(super) ended: Option<(usize, TaskId)>,
}

/// A run.
#[derive(Debug)]
pub(super) struct RunRow {
    pub(super) record: RunRecord,
    /// Its place among all runs, by arrival.
    pub(super) number: usize,
    pub(super) end_routed: bool,
    /// Its tasks by arrival, ended ones too.
    pub(super) members: Vec<TaskId>,
    /// Its tasks that have not ended, but for those that only wait to undo.
    pub(super) live: BTreeSet<TaskId>,
    pub(super) steps: Vec<StepRow>,
    /// The step of another run that it is.
    pub(super) inner_of: Option<TaskId>,
    /// What has arrived at its joins that are not complete.
    pub(super) joins: BTreeMap<String, Arrived>,
    /// The steps that were sent a signal; those that nobody took yet are kept.
    pub(super) signals: BTreeMap<String, Option<Vec<u8>>>,
    /// What waits to undo its steps, the newest last.
    pub(super) undos: Vec<TaskId>,
    /// What failed to undo a step, and so failed it.
    pub(super) failed_undo: Option<TaskId>,
    /// Whether it can't be taken up again, because of what happened while it stopped.
    pub(super) lost: bool,
    /// The `each` of it that had no items.
    pub(super) without_items: Vec<Uuid>,
}

impl RunRow {
    pub(super) fn new(record: RunRecord, number: usize, end_routed: bool, inner_of: Option<TaskId>) -> Self {
        Self {
            record,
            number,
            end_routed,
            members: Vec::new(),
            live: BTreeSet::new(),
            steps: Vec::new(),
            inner_of,
            joins: BTreeMap::new(),
            signals: BTreeMap::new(),
            undos: Vec::new(),
            failed_undo: None,
            lost: false,
            without_items: Vec::new(),
        }
    }

    /// What it has had of a step.
    pub(super) fn step(&mut self, kind: KindId) -> &mut StepRow {
        let at = self.steps.iter().position(|step| step.kind == kind).unwrap_or_else(|| {
            self.steps.push(StepRow { kind, visits: 0, succeeded: None, ended: None });
            self.steps.len() - 1
        });
        &mut self.steps[at]
    }
}
