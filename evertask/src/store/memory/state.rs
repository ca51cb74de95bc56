//! The rows and their indexes. [`State::change`] is the only place where a task's state changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::id::{RunId, TaskId, WorkId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::rules::rank;
use crate::store::{Claim, Claimed, Delivery, Got, RunState, TaskState, Wait};

use super::arrivals::Arrivals;
use super::claims::Queue;
use super::limits::Limits;
use super::prune::Archive;
pub(super) use super::rows::{FOR_EVER, Row, RunRow, StepRow, Stopped};
use super::schedules::Schedule;
use super::waits::Group;
use super::workers::Attached;

/// A name of a task, or a step of a workflow: what a worker knows or does not.
pub(super) type KindId = usize;
pub(super) type QueueId = usize;

/// The order of claims: the rank, then the arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    pub(super) rank: i64,
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

/// Everything that the store holds.
#[derive(Debug)]
pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) tasks: HashMap<TaskId, Row>,
    pub(super) runs: HashMap<RunId, RunRow>,
    /// Every task, by arrival.
    pub(super) task_ids: Arrivals<TaskId>,
    /// Every run, by arrival.
    pub(super) run_ids: Arrivals<RunId>,
    pub(super) task_keys: HashMap<String, HashMap<String, TaskId>>,
    pub(super) run_keys: HashMap<String, HashMap<String, RunId>>,
    pub(super) groups: HashMap<Uuid, Group>,
    /// The runs that steps wait for.
    pub(super) inner_runs: HashMap<TaskId, RunId>,
    pub(super) kinds: Kinds,
    queue_ids: HashMap<String, QueueId>,
    pub(super) queues: Vec<Queue>,
    pub(super) limits: Limits,
    pub(super) schedules: BTreeMap<String, Schedule>,
    pub(super) archive: Archive,
    /// Queues where a claim may be possible since this transaction began.
    pub(super) touched: BTreeSet<QueueId>,
    /// When the rates of queues admit the next task.
    pub(super) wakes: BTreeSet<(Timestamp, QueueId)>,
    /// What this transaction has still to do: buckets where a slot may be free, groups where a turn may be, runs
    /// to cancel because what waits for them stops, and ended runs that somebody waits for.
    pub(super) freed: Vec<String>,
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
            task_ids: Arrivals::new(),
            run_ids: Arrivals::new(),
            task_keys: HashMap::new(),
            run_keys: HashMap::new(),
            groups: HashMap::new(),
            inner_runs: HashMap::new(),
            kinds: Kinds::default(),
            queue_ids: HashMap::new(),
            queues: Vec::new(),
            limits: Limits::default(),
            schedules: BTreeMap::new(),
            archive: Archive::default(),
            touched: BTreeSet::new(),
            wakes: BTreeSet::new(),
            freed: Vec::new(),
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
        // A clock that goes back does not keep a queue waiting for its old time.
        let back = now < self.now;
        self.now = now;
        while let Some(&(at, queue)) = self.wakes.first() {
            if at > now && !back {
                break;
            }
            self.wakes.remove(&(at, queue));
            self.touched.insert(queue);
        }
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
            } else if let Some(bucket) = self.freed.pop() {
                self.give_slot(&bucket);
            } else {
                break;
            }
        }
    }

    /// When the next delayed task is due, the next signal comes too late, or a rate admits the next task.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let later = self.later.first_key_value().map(|(&(at, _), _)| at);
        later.into_iter().chain(self.wakes.first().map(|&(at, _)| at)).min()
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
        let was = (row.state, row.due, row.queue, row.priority, row.run_at);
        let had_slot = row.state == TaskState::Running || row.state == TaskState::Ready && row.due;
        let bucket = row.slot_bucket().filter(|_| had_slot && row.indexed).map(str::to_owned);
        if row.indexed {
            self.queues[row.queue].standing.leave(row);
            self.limits.leave(row);
            self.archive.forget_task(row);
        }
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
                if self.queues[row.queue].standing.rules.concurrency.is_some() {
                    self.touched.insert(row.queue);
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
        if row.state == TaskState::Ready
            && (was.0, was.2, was.3, was.4) != (row.state, row.queue, row.priority, row.run_at)
        {
            row.rank = rank::rank(row.run_at, row.priority, self.queues[row.queue].standing.rules.ageing);
        }
        row.due = row.state == TaskState::Ready && row.run_at <= self.now;
        match row.state {
            TaskState::Ready if row.due => {
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
        row.indexed = true;
        self.queues[row.queue].standing.enter(row);
        self.limits.enter(row);
        self.archive.keep_task(row);
        // Whoever has no slot any more, or goes without the one that it was to get, leaves it to the next.
        self.freed.extend(bucket.filter(|bucket| !row.keeps_slot(bucket, was.0)));
        let open = row.is_open();
        if let Some((group, item)) = row.item
            && let Some(group_row) = self.groups.get_mut(&group)
        {
            if row.wait == Some(Wait::Turn) {
                group_row.waiting.insert(item, id);
            }
            if was_open && !open {
                group_row.open -= 1;
                self.turns.push(group);
            } else if open && !was_open {
                group_row.open += 1;
            }
        }
        if was_open != open {
            self.count_in_run(id, open);
        }
    }

    /// A task of a run has ended, or is live again.
    fn count_in_run(&mut self, id: TaskId, open: bool) {
        let Some(row) = self.tasks.get(&id) else { return };
        let Some(run) = row.run.and_then(|run| self.runs.get_mut(&run)) else { return };
        if open {
            run.live.insert(id);
            run.record.open_tasks += 1;
            return;
        }
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
