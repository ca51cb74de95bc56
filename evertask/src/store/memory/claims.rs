//! Ready tasks and free slots: who gets what, and when.

use std::collections::{BTreeMap, VecDeque};

use crate::id::{TaskId, WorkerId};
use crate::store::{Claimed, Delivery, ParkReason, StepOf, TaskState, rules};

use super::queues::Standing;
use super::state::{KindId, Order, QueueId, State};

/// A queue: its due tasks by kind, so that a worker that lacks a kind skips all of it in one step.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: String,
    lanes: BTreeMap<KindId, BTreeMap<Order, TaskId>>,
    /// The first of each lane.
    heads: BTreeMap<Order, KindId>,
    /// Workers with free slots, who is next in front.
    wanting: VecDeque<(WorkerId, u32)>,
    pub(super) standing: Standing,
}

/// What to do next in a queue, for one worker.
enum Step {
    Claim(TaskId),
    Park(TaskId),
    Nothing,
}

impl Queue {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            lanes: BTreeMap::new(),
            heads: BTreeMap::new(),
            wanting: VecDeque::new(),
            standing: Standing::new(),
        }
    }

    pub(super) fn insert(&mut self, kind: KindId, order: Order, id: TaskId) {
        let lane = self.lanes.entry(kind).or_default();
        let head = lane.first_key_value().map(|(&order, _)| order);
        lane.insert(order, id);
        if head.is_none_or(|head| order < head) {
            if let Some(head) = head {
                self.heads.remove(&head);
            }
            self.heads.insert(order, kind);
        }
    }

    pub(super) fn remove(&mut self, kind: KindId, order: Order) {
        let Some(lane) = self.lanes.get_mut(&kind) else { return };
        lane.remove(&order);
        let head = lane.first_key_value().map(|(&order, _)| order);
        if head.is_none() {
            self.lanes.remove(&kind);
        }
        if self.heads.remove(&order).is_some()
            && let Some(head) = head
        {
            self.heads.insert(head, kind);
        }
    }

    /// The first that is ready and due.
    fn first(&self) -> Option<TaskId> {
        let (order, kind) = self.heads.first_key_value()?;
        self.lanes.get(kind)?.get(order).copied()
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.heads.is_empty()
    }

    pub(super) fn want(&mut self, worker: WorkerId, slots: u32) {
        match self.wanting.iter_mut().find(|(wanting, _)| *wanting == worker) {
            Some((_, wanted)) => *wanted = wanted.saturating_add(slots),
            None if slots > 0 => self.wanting.push_back((worker, slots)),
            None => {}
        }
    }

    fn wants(&self, worker: WorkerId) -> bool {
        self.wanting.iter().any(|(wanting, _)| *wanting == worker)
    }

    pub(super) fn want_none(&mut self, worker: WorkerId) {
        self.wanting.retain(|(wanting, _)| *wanting != worker);
    }

    /// One slot of the worker is filled.
    fn filled(&mut self, worker: WorkerId) {
        if let Some((_, wanted)) = self.wanting.iter_mut().find(|(wanting, _)| *wanting == worker) {
            *wanted -= 1;
        }
        self.wanting.retain(|(_, wanted)| *wanted > 0);
    }
}

impl State {
    /// Whether a task that is due now may skip its queue, because nothing there goes before it.
    pub(super) fn may_hand_over(&self, worker: WorkerId, queue: QueueId, kind: KindId, priority: i16) -> bool {
        let queue = &self.queues[queue];
        self.workers.get(&worker).is_some_and(|attached| attached.may_claim() && attached.knows(kind))
            && queue.wants(worker)
            && queue.standing.admits(self.now)
            && queue.first().and_then(|id| self.tasks.get(&id)).is_none_or(|first| priority >= first.priority)
    }

    /// Fills free slots in every queue where that may have become possible.
    pub(super) fn serve(&mut self) {
        while let Some(queue) = self.touched.pop_first() {
            self.serve_queue(queue);
            // What waits for a slot may have got one.
            self.carry_on();
        }
    }

    fn serve_queue(&mut self, queue: QueueId) {
        self.queues[queue].standing.bound(self.now);
        let mut idle = 0;
        while idle < self.queues[queue].wanting.len() {
            let Some(&(worker, _)) = self.queues[queue].wanting.front() else { break };
            if !self.workers.get(&worker).is_some_and(super::workers::Attached::may_claim) {
                self.queues[queue].want_none(worker);
                continue;
            }
            if !self.queues[queue].standing.admits(self.now) {
                break;
            }
            match self.next_step(queue, worker) {
                Step::Claim(id) => {
                    if !self.may_start(id) {
                        continue;
                    }
                    self.claim(id, worker);
                    // The next slot is somebody else's, where others wait too.
                    let wants_more = self.queues[queue].wants(worker);
                    self.queues[queue].wanting.rotate_left(usize::from(wants_more));
                    idle = 0;
                }
                Step::Park(id) => self.park_unknown(id),
                Step::Nothing => {
                    self.queues[queue].wanting.rotate_left(1);
                    idle += 1;
                }
            }
        }
        let Queue { wanting, standing, .. } = &self.queues[queue];
        if !wanting.is_empty() && self.queues[queue].has_ready() {
            let at = standing.admits_at(self.now).filter(|at| *at > self.now);
            self.wakes.extend(at.map(|at| (at, queue)));
        }
        // Parking and claiming touched it again; nothing is left to do here.
        self.touched.remove(&queue);
    }

    fn next_step(&self, queue: QueueId, worker: WorkerId) -> Step {
        let Some(worker) = self.workers.get(&worker) else { return Step::Nothing };
        let queue = &self.queues[queue];
        for (order, kind) in &queue.heads {
            let Some(&id) = queue.lanes.get(kind).and_then(|lane| lane.get(order)) else { continue };
            if worker.knows(*kind) {
                return Step::Claim(id);
            }
            if self.kinds.knowers[*kind] == 0 {
                return Step::Park(id);
            }
        }
        Step::Nothing
    }

    /// A worker takes a ready task into one of its free slots.
    pub(super) fn claim(&mut self, id: TaskId, worker: WorkerId) {
        self.change(id, |row| {
            row.state = TaskState::Running;
            row.fence += 1;
            row.worker = Some(worker);
            row.reserved = None;
        });
        self.started(id);
        let Some(row) = self.tasks.get(&id) else { return };
        self.queues[row.queue].filled(worker);
        self.queues[row.queue].standing.take(self.now);
        let kind = self.kinds.get(row.kind);
        let of = row.run.zip(kind.workflow.as_ref()).map(|(run, workflow)| StepOf {
            run,
            workflow: workflow.clone().into(),
            step: kind.step.clone().map(Into::into),
        });
        let claimed = Claimed {
            deadline: row.deadline,
            own: row.terms.as_ref().and_then(|terms| terms.own.clone()),
            claim: row.claim(),
            name: kind.name.clone(),
            queue: self.queues[row.queue].name.clone(),
            payload: row.payload.clone(),
            failures: row.failures,
            crashes: row.crashes,
            correlation: row.correlation.clone(),
            of,
            cancelled: row.cancel_requested,
            got: row.got,
        };
        self.claimed.entry(worker).or_default().push(claimed);
    }

    fn park_unknown(&mut self, id: TaskId) {
        let Some(row) = self.tasks.get(&id) else { return };
        let kind = self.kinds.get(row.kind);
        let reason = if kind.step().is_some() { ParkReason::UnknownStep } else { ParkReason::UnknownTask };
        let detail = rules::park_detail(reason, &kind.name, kind.step());
        self.change(id, |row| {
            row.state = TaskState::Parked;
            row.parked = Some((reason, detail));
        });
    }

    /// Brings to the workers what this transaction has for them: answers, then claims, then cancels.
    pub(super) fn deliver(&mut self) {
        for (worker, delivery) in std::mem::take(&mut self.settled) {
            self.send(worker, delivery);
        }
        while let Some((worker, claimed)) = self.claimed.pop_first() {
            self.send(worker, Delivery::Claimed(claimed));
        }
        while let Some((worker, claims)) = self.cancelled.pop_first() {
            self.send(worker, Delivery::Cancel(claims));
        }
    }

    /// A worker that hangs up gets nothing more; what it holds is taken over when its lease lapses.
    pub(super) fn send(&mut self, worker: WorkerId, delivery: Delivery) {
        if let Some(attached) = self.workers.get(&worker) {
            attached.send(delivery);
        }
    }
}
