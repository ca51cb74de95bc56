//! What tasks say of how many of their kind may start and run: rates and slots, by bucket.

use std::collections::{BTreeMap, HashMap};

use crate::id::TaskId;
use crate::schedule::Timestamp;
use crate::store::rules::rate::{self, Admission, Line};
use crate::store::{TaskState, Wait};

use super::state::{Order, QueueId, Row, State};

/// The buckets that are in use.
#[derive(Debug, Default)]
pub(super) struct Limits {
    rates: HashMap<String, Line>,
    slots: HashMap<String, Slots>,
}

/// The tasks of a bucket of slots.
#[derive(Debug, Default)]
struct Slots {
    running: usize,
    /// Those that wait for a slot, by queue: one that is not served does not keep the slot from the others.
    waiting: BTreeMap<QueueId, BTreeMap<Order, TaskId>>,
}

impl Row {
    /// Its bucket of slots.
    pub(super) fn slot_bucket(&self) -> Option<&str> {
        self.terms.as_ref()?.slots.as_ref().map(|slots| &*slots.bucket)
    }

    /// Whether something but its queue limits it.
    pub(super) fn is_limited(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.rate.is_some() || terms.slots.is_some())
    }
}

impl Limits {
    fn running(&self, bucket: &str) -> usize {
        self.slots.get(bucket).map_or(0, |slots| slots.running)
    }

    fn has_waiting(&self, bucket: &str) -> bool {
        self.slots.get(bucket).is_some_and(|slots| !slots.waiting.is_empty())
    }

    /// A task is as it is from now on.
    pub(super) fn enter(&mut self, row: &Row) {
        let Some(bucket) = row.slot_bucket() else { return };
        match (row.state, row.wait) {
            (TaskState::Running, _) => self.slots.entry(bucket.to_owned()).or_default().running += 1,
            (TaskState::Waiting, Some(Wait::Slot)) => {
                let slots = self.slots.entry(bucket.to_owned()).or_default();
                slots.waiting.entry(row.queue).or_default().insert(row.order(), row.id);
            }
            _ => {}
        }
    }

    /// A task is not as it was.
    pub(super) fn leave(&mut self, row: &Row) {
        let Some(bucket) = row.slot_bucket() else { return };
        let Some(slots) = self.slots.get_mut(bucket) else { return };
        match (row.state, row.wait) {
            (TaskState::Running, _) => slots.running -= 1,
            (TaskState::Waiting, Some(Wait::Slot)) => {
                if let Some(waiting) = slots.waiting.get_mut(&row.queue) {
                    waiting.remove(&row.order());
                    if waiting.is_empty() {
                        slots.waiting.remove(&row.queue);
                    }
                }
            }
            _ => {}
        }
        if slots.running == 0 && slots.waiting.is_empty() {
            self.slots.remove(bucket);
        }
    }

    /// Forgets the rates that nothing is missing from.
    pub(super) fn forget_full(&mut self, now: Timestamp) {
        self.rates.retain(|_, line| !line.is_full(now));
    }
}

impl State {
    /// Whether a task that is about to be claimed may start. Otherwise it waits, for a slot or for its time.
    pub(super) fn may_start(&mut self, id: TaskId) -> bool {
        let Some(row) = self.tasks.get(&id) else { return false };
        let Some(terms) = &row.terms else { return true };
        if let Some(slots) = &terms.slots
            && self.limits.running(&slots.bucket) >= slots.most.max(1) as usize
        {
            self.change(id, |row| (row.state, row.wait) = (TaskState::Waiting, Some(Wait::Slot)));
            return false;
        }
        // What is claimed only for its cancel does nothing that is limited.
        let Some(limit) = terms.rate.as_ref().filter(|_| !row.cancel_requested) else { return true };
        let line = self.limits.rates.entry(limit.bucket.clone()).or_insert(Line::FULL);
        match rate::admit(*line, limit.rate, row.reserved, self.now) {
            Admission::Starts(left) => {
                *line = left;
                true
            }
            Admission::Waits(turn, left) => {
                *line = left;
                self.change(id, |row| (row.run_at, row.reserved) = (turn.at, Some(turn.reserved)));
                false
            }
        }
    }

    /// A task has started. If there is room beside it, the next that wait are looked at too.
    pub(super) fn started(&mut self, id: TaskId) {
        let slots = self.tasks.get(&id).and_then(|row| row.terms.as_ref()?.slots.as_ref());
        if let Some(slots) = slots
            && self.limits.running(&slots.bucket) < slots.most as usize
            && self.limits.has_waiting(&slots.bucket)
        {
            self.freed.push(slots.bucket.clone());
        }
    }

    /// A slot of the bucket is free: the first of each queue that waits for one is ready.
    pub(super) fn give_slot(&mut self, bucket: &str) {
        let Some(slots) = self.limits.slots.get(bucket) else { return };
        let first = |waiting: &BTreeMap<Order, TaskId>| waiting.first_key_value().map(|(_, &id)| id);
        let ready: Vec<TaskId> = slots.waiting.values().filter_map(first).collect();
        for id in ready {
            self.make_ready(id, |_| ());
        }
    }
}
