//! The rows and their indexes. [`State::change`] is the only place where a task's state changes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::failure::FailureReport;
use crate::id::{RunId, TaskId, WorkId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::{
    AttemptRecord, Claim, Claimed, Delivery, Got, LogLine, ParkReason, RunRecord, RunState, TaskState, Wait,
};

use super::claims::Queue;
use super::joins::Arrived;
use super::waits::Group;
use super::workers::Attached;

/// A name of a task, or a step of a workflow: what a worker knows or does not.
pub(super) type KindId = usize;
pub(super) type QueueId = usize;

/// The order of claims: the priority, then the arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    pub(super) priority: Reverse<i16>,
    pub(super) number: usize,
}

/// What a task is, apart from its payload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) name: String,
    pub(super) workflow: Option<String>,
    pub(super) step: Option<String>,
}

impl Kind {
    /// The step, where knowing the task's name is not enough.
    pub(super) fn step(&self) -> Option<(&str, &str)> {
        self.workflow.as_deref().zip(self.step.as_deref())
    }
}

#[derive(Debug, Default)]
pub(super) struct Kinds {
    ids: HashMap<Kind, KindId>,
    all: Vec<Kind>,
    /// How many listed workers know it.
    pub(super) knowers: Vec<u32>,
    /// The parked tasks of it.
    pub(super) parked: Vec<BTreeSet<TaskId>>,
}

impl Kinds {
    pub(super) fn get(&self, id: KindId) -> &Kind {
        &self.all[id]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (KindId, &Kind)> {
        self.all.iter().enumerate()
    }
}

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
    pub(super) progress: Option<(u64, u64)>,
    pub(super) created_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) lines: Vec<LogLine>,
    pub(super) attempts: Vec<AttemptRecord>,
}

impl Row {
    pub(super) fn order(&self) -> Order {
        Order { priority: Reverse(self.priority), number: self.number }
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

    /// Whether it is a signal's time-out, or its own time, that makes it due.
    fn has_time(&self) -> bool {
        match self.state {
            TaskState::Ready => true,
            TaskState::Waiting => self.wait == Some(Wait::Signal) && self.run_at < FOR_EVER,
            _ => false,
        }
    }
}

/// Never.
pub(super) const FOR_EVER: Timestamp = Timestamp::from_millis(i64::MAX);

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

/// Everything that the store holds.
#[derive(Debug)]
pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) tasks: HashMap<TaskId, Row>,
    pub(super) runs: HashMap<RunId, RunRow>,
    /// Every task, by arrival.
    pub(super) task_ids: Vec<TaskId>,
    /// Every run, by arrival.
    pub(super) run_ids: Vec<RunId>,
    pub(super) task_keys: HashMap<String, HashMap<String, TaskId>>,
    pub(super) run_keys: HashMap<String, HashMap<String, RunId>>,
    pub(super) groups: HashMap<Uuid, Group>,
    /// The runs that steps wait for.
    pub(super) inner_runs: HashMap<TaskId, RunId>,
    pub(super) kinds: Kinds,
    queue_ids: HashMap<String, QueueId>,
    pub(super) queues: Vec<Queue>,
    /// Queues where a claim may be possible since this transaction began.
    pub(super) touched: BTreeSet<QueueId>,
    /// What this transaction has still to do: groups where a turn may be free, runs to cancel because what
    /// waits for them stops, and ended runs that somebody waits for.
    pub(super) turns: Vec<Uuid>,
    pub(super) stopping: Vec<RunId>,
    pub(super) inner_ended: Vec<RunId>,
    /// Ready tasks that are not due yet, and those that wait for a signal until then.
    later: BTreeMap<(Timestamp, usize), TaskId>,
    /// When the time of running runs is up.
    pub(super) deadlines: BTreeSet<(Timestamp, RunId)>,
    pub(super) workers: BTreeMap<WorkerId, Attached>,
    /// What this transaction brings to workers.
    pub(super) claimed: BTreeMap<WorkerId, Vec<Claimed>>,
    pub(super) cancelled: BTreeMap<WorkerId, Vec<Claim>>,
    pub(super) settled: Vec<(WorkerId, Delivery)>,
    /// What ended in this transaction.
    ended: Vec<WorkId>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            now: Timestamp::from_millis(0),
            tasks: HashMap::new(),
            runs: HashMap::new(),
            task_ids: Vec::new(),
            run_ids: Vec::new(),
            task_keys: HashMap::new(),
            run_keys: HashMap::new(),
            groups: HashMap::new(),
            inner_runs: HashMap::new(),
            kinds: Kinds::default(),
            queue_ids: HashMap::new(),
            queues: Vec::new(),
            touched: BTreeSet::new(),
            turns: Vec::new(),
            stopping: Vec::new(),
            inner_ended: Vec::new(),
            later: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            workers: BTreeMap::new(),
            claimed: BTreeMap::new(),
            cancelled: BTreeMap::new(),
            settled: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// A transaction begins: what has become due by now waits in its queue.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.now = now;
        while let Some((&(at, _), &id)) = self.later.first_key_value() {
            if at > now {
                break;
            }
            if self.tasks.get(&id).is_some_and(|row| row.state == TaskState::Waiting) {
                self.make_ready(id, |row| row.got = Some(Got::Nothing));
            } else {
                self.change(id, |_| ());
            }
        }
    }

    /// What follows from what this transaction has done, in other groups and runs. It goes from one to the
    /// next by a list, not by calls: runs may be nested deeply.
    pub(super) fn carry_on(&mut self) {
        loop {
            if let Some(run) = self.stopping.pop() {
                self.cancel_run(run);
            } else if let Some(run) = self.inner_ended.pop() {
                self.wake_step_of(run);
            } else if let Some(group) = self.turns.pop() {
                self.give_turns(group);
            } else {
                break;
            }
        }
    }

    /// When the next delayed task is due, or the next signal comes too late.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|(&(at, _), _)| at)
    }

    /// What has ended since this was last asked.
    pub(super) fn take_ended(&mut self) -> Vec<WorkId> {
        std::mem::take(&mut self.ended)
    }

    /// Changes a task, and keeps every index and count true to it. What follows from an end is the
    /// caller's: a run whose last task ended here ends by `State::end_run_if_done`.
    pub(super) fn change(&mut self, id: TaskId, change: impl FnOnce(&mut Row)) {
        let Some(row) = self.tasks.get_mut(&id) else { return };
        let was_open = row.is_open();
        match row.state {
            TaskState::Ready if row.due => self.queues[row.queue].remove(row.kind, row.order()),
            TaskState::Ready | TaskState::Waiting if row.has_time() => {
                self.later.remove(&(row.run_at, row.number));
            }
            TaskState::Parked => {
                self.kinds.parked[row.kind].remove(&id);
            }
            TaskState::Running => {
                if let Some(worker) = row.worker.and_then(|worker| self.workers.get_mut(&worker)) {
                    worker.running.remove(&id);
                }
            }
            _ => {}
        }
        if let Some((group, item)) = row.item.filter(|_| row.wait == Some(Wait::Turn))
            && let Some(group) = self.groups.get_mut(&group)
        {
            group.waiting.remove(&item);
        }
        change(row);
        if row.state != TaskState::Running {
            row.worker = None;
        }
        if row.state != TaskState::Parked {
            row.parked = None;
        }
        if row.state != TaskState::Waiting {
            row.wait = None;
        }
        row.due = false;
        match row.state {
            TaskState::Ready if row.run_at <= self.now => {
                row.due = true;
                self.queues[row.queue].insert(row.kind, row.order(), id);
                self.touched.insert(row.queue);
            }
            TaskState::Ready | TaskState::Waiting if row.has_time() => {
                self.later.insert((row.run_at, row.number), id);
            }
            TaskState::Parked => {
                self.kinds.parked[row.kind].insert(id);
            }
            TaskState::Running => {
                if let Some(worker) = row.worker.and_then(|worker| self.workers.get_mut(&worker)) {
                    worker.running.insert(id);
                }
            }
            _ => {}
        }
        if row.state.is_terminal() && row.finished_at.is_none() {
            row.finished_at = Some(self.now);
            self.ended.push(id.into());
        }
        let open = row.is_open();
        if let Some((group, item)) = row.item
            && let Some(group_row) = self.groups.get_mut(&group)
        {
            if row.wait == Some(Wait::Turn) {
                group_row.waiting.insert(item, id);
            } else if was_open && !open {
                group_row.open -= 1;
                self.turns.push(group);
            }
        }
        if was_open != open
            && let Some(run) = row.run.and_then(|run| self.runs.get_mut(&run))
        {
            if open {
                run.live.insert(id);
                run.record.open_tasks += 1;
            } else {
                run.live.remove(&id);
                run.record.open_tasks = run.record.open_tasks.saturating_sub(1);
                if !row.is_undo {
                    let (number, state) = (row.number, row.state);
                    let step = run.step(row.kind);
                    step.ended = step.ended.max(Some((number, id)));
                    if state == TaskState::Succeeded {
                        step.succeeded = step.succeeded.max(Some((number, id)));
                    }
                }
            }
        }
    }

    /// The state of a run.
    pub(super) fn state_of(&self, run: RunId) -> Option<RunState> {
        self.runs.get(&run).map(|run| run.record.state)
    }

    /// Notes that a task has gone.
    pub(super) fn task_ended(&mut self, id: TaskId) {
        self.ended.push(id.into());
    }

    /// Notes that a run has ended.
    pub(super) fn run_ended(&mut self, id: RunId) {
        self.ended.push(id.into());
    }

    pub(super) fn kind(&mut self, kind: Kind) -> KindId {
        if let Some(&id) = self.kinds.ids.get(&kind) {
            return id;
        }
        let id = self.kinds.all.len();
        let mut knowers = 0;
        for worker in self.workers.values_mut() {
            let known = worker.learn(&kind);
            knowers += u32::from(known && worker.is_listed());
        }
        self.kinds.knowers.push(knowers);
        self.kinds.parked.push(BTreeSet::new());
        self.kinds.all.push(kind.clone());
        self.kinds.ids.insert(kind, id);
        id
    }

    pub(super) fn queue(&mut self, name: &str) -> QueueId {
        if let Some(&id) = self.queue_ids.get(name) {
            return id;
        }
        self.queues.push(Queue::new(name));
        self.queue_ids.insert(name.to_owned(), self.queues.len() - 1);
        self.queues.len() - 1
    }
}
