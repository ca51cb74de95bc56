//! Who waits for the end of what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::id::WorkId;

/// Those that wait, by what they wait for.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    closed: bool,
    next: u64,
    by_work: HashMap<WorkId, Vec<(u64, oneshot::Sender<()>)>>,
}

impl Waiters {
    /// Waits for the end of `id` from now on; and whether nobody waited for anything before.
    pub(crate) fn register(self: &Arc<Self>, id: WorkId) -> (Waiter, bool) {
        let (sender, ended) = oneshot::channel();
        let mut waiting = self.lock();
        let (number, is_first) = (waiting.next, waiting.by_work.is_empty());
        waiting.next += 1;
        if !waiting.closed {
            waiting.by_work.entry(id).or_default().push((number, sender));
        }
        (Waiter { id, number, ended, waiters: Arc::clone(self) }, is_first)
    }

    /// Tells those that wait for any of `ended`.
    pub(crate) fn tell(&self, ended: &[WorkId]) {
        let mut waiting = self.lock();
        if waiting.by_work.is_empty() {
            return;
        }
        for id in ended {
            for (_, waiter) in waiting.by_work.remove(id).into_iter().flatten() {
                // One that no longer waits is not told.
                let _ = waiter.send(());
            }
        }
    }

    /// What is waited for.
    pub(crate) fn awaited(&self) -> Vec<WorkId> {
        self.lock().by_work.keys().copied().collect()
    }

    /// Whether anybody waits.
    pub(crate) fn any(&self) -> bool {
        !self.lock().by_work.is_empty()
    }

    /// Nobody is told any more.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.by_work.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that waits; it is forgotten when it is dropped.
#[derive(Debug)]
pub(crate) struct Waiter {
    id: WorkId,
    number: u64,
    ended: oneshot::Receiver<()>,
    waiters: Arc<Waiters>,
}

impl Waiter {
    /// Whether it ended; `false` if the store was closed first.
    pub(crate) async fn ended(mut self) -> bool {
        (&mut self.ended).await.is_ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.waiters.lock();
        if let Some(waiters) = waiting.by_work.get_mut(&self.id) {
            waiters.retain(|(number, _)| *number != self.number);
            if waiters.is_empty() {
                waiting.by_work.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TaskId;

    #[test]
    fn a_waiter_that_is_dropped_is_forgotten() {
        let waiters = Arc::new(Waiters::default());
        let id = WorkId::from(TaskId::new());
        let ((first, is_first), (second, is_second_first)) = (waiters.register(id), waiters.register(id));
        assert!(is_first && !is_second_first);
        drop(first);
        assert!(waiters.any());
        drop(second);
        assert!(!waiters.any());
    }
}
