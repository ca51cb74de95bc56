//! What limits work, for the cases about queues, limits, keys and deadlines.

use std::time::Duration;

use crate::schedule::Timestamp;
use crate::store::{
    Claimed, Dispatched, NewTask, OnKey, QueueChange, QueueRecord, QueueRules, QueueState, Rate, RateLimit, SlotLimit,
    StoreError, Terms,
};

use super::bench::{Bench, works};
use super::worker::TestWorker;

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// So many in a second, after so many at once.
pub(super) fn a_second(tasks: u32, burst: u32) -> Rate {
    Rate { tasks, per: Duration::from_secs(1), burst }
}

pub(super) fn queued(queue: &'static str, task: NewTask) -> NewTask {
    NewTask { queue: queue.into(), ..task }
}

fn with(task: NewTask, change: impl FnOnce(&mut Terms)) -> NewTask {
    let mut terms = task.terms.clone().unwrap_or_default();
    change(&mut terms);
    NewTask { terms: Some(terms), ..task }
}

/// At most so many of this bucket run at once.
pub(super) fn slotted(bucket: &str, most: u32, task: NewTask) -> NewTask {
    with(task, |terms| terms.slots = Some(SlotLimit { bucket: bucket.to_owned(), most }))
}

/// So many of this bucket may start in a time.
pub(super) fn rated(bucket: &str, rate: Rate, task: NewTask) -> NewTask {
    with(task, |terms| terms.rate = Some(RateLimit { bucket: bucket.to_owned(), rate }))
}

pub(super) fn within(deadline: Duration, task: NewTask) -> NewTask {
    with(task, |terms| terms.deadline = Some(deadline))
}

pub(super) fn own(json: &str, task: NewTask) -> NewTask {
    with(task, |terms| terms.own = Some(json.as_bytes().to_vec()))
}

pub(super) fn keyed(key: &str, policy: OnKey, task: NewTask) -> NewTask {
    with(NewTask { key: Some(key.to_owned()), ..task }, |terms| terms.on_key = policy)
}

pub(super) fn is_full<T>(answer: &Result<T, StoreError>, queue: &str) -> bool {
    matches!(answer, Err(StoreError::QueueFull { queue: full, .. }) if full == queue)
}

impl Bench {
    pub(super) async fn set_state(&self, queue: &str, state: QueueState) -> QueueRecord {
        let change = QueueChange { state: Some(state), rules: None };
        self.store.change_queue(queue.to_owned(), change).await.expect("the queue is changed")
    }

    pub(super) async fn set_rules(&self, queue: &str, rules: QueueRules) -> QueueRecord {
        let change = QueueChange { state: None, rules: Some(rules) };
        self.store.change_queue(queue.to_owned(), change).await.expect("the queue is changed")
    }

    pub(super) async fn queue(&self, name: &str) -> QueueRecord {
        let queues = self.store.queues().await.expect("the queues are listed");
        queues.into_iter().find(|queue| queue.name == name).expect("the queue is listed")
    }

    /// Dispatches tasks that need not be new, or taken.
    pub(super) async fn offer(&self, tasks: Vec<NewTask>) -> Result<Vec<Dispatched>, StoreError> {
        self.store.dispatch(works(tasks)).await
    }

    /// Moves the clock on in steps, and says what this worker claimed, and how many milliseconds after now.
    pub(super) async fn watch(&self, worker: &mut TestWorker, whole: Duration, step: Duration) -> Vec<(u128, Claimed)> {
        let begin = self.now();
        let mut came = Vec::new();
        loop {
            let since: Duration = begin.until(self.now());
            came.extend(worker.came().await.into_iter().map(|claimed| (since.as_millis(), claimed)));
            if since >= whole {
                return came;
            }
            self.clock.advance(step);
        }
    }

    /// This much later than now.
    pub(super) fn later(&self, by: Duration) -> Timestamp {
        self.now().plus(by)
    }
}

/// When each came.
pub(super) fn times(came: &[(u128, Claimed)]) -> Vec<u128> {
    came.iter().map(|(time, _)| *time).collect()
}
