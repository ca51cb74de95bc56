//! Threads that outlive their attempts. Nobody can stop a thread: a blocking handler that was told to end and
//! does not keeps its slot, and a worker that has lost too many of them says that it is not well.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::context::Context;

/// How a worker is. Its clones are of the same worker, and outlive it.
#[derive(Debug, Clone)]
pub struct Health {
    state: watch::Receiver<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    leaked: usize,
    too_many: bool,
}

impl Health {
    /// How many threads still run the handler of an attempt that is over: timed out, cancelled, or handed back.
    pub fn leaked(&self) -> usize {
        self.state.borrow().leaked
    }

    /// Whether the worker runs, and can do its work. It can't while as many threads are leaked as
    /// [`max_leaked`](crate::WorkerBuilder::max_leaked) says, or as one of its queues has slots: then only a new
    /// process helps.
    pub fn is_healthy(&self) -> bool {
        // The sender goes with the worker's loop.
        self.state.has_changed().is_ok() && !self.state.borrow().too_many
    }
}

/// The threads, as the worker's loop counts them.
pub(super) struct Leaks {
    most: usize,
    slots: BTreeMap<Arc<str>, u32>,
    kept: BTreeMap<Arc<str>, u32>,
    threads: JoinSet<Arc<str>>,
    state: watch::Sender<State>,
}

impl Leaks {
    pub(super) fn new(most: usize, slots: &BTreeMap<Arc<str>, u32>) -> Self {
        let state = watch::Sender::default();
        Self { most, slots: slots.clone(), kept: BTreeMap::new(), threads: JoinSet::new(), state }
    }

    pub(super) fn health(&self) -> Health {
        Health { state: self.state.subscribe() }
    }

    pub(super) fn count(&self) -> usize {
        self.threads.len()
    }

    /// How many slots of each queue they keep.
    pub(super) fn kept(&self) -> &BTreeMap<Arc<str>, u32> {
        &self.kept
    }

    /// The attempt is over, and its thread is not.
    pub(super) fn add(&mut self, cx: Context, queue: Arc<str>) {
        let (leaked, was_too_many) = (self.threads.len() + 1, self.state.borrow().too_many);
        tracing::warn!(
            task = cx.name(),
            id = %cx.id(),
            leaked,
            "a blocking handler goes on after the end of its attempt: it keeps its slot until it returns"
        );
        *self.kept.entry(queue.clone()).or_insert(0) += 1;
        self.threads.spawn(async move {
            cx.unblocked().await;
            queue
        });
        if self.publish() && !was_too_many {
            tracing::error!(leaked, "too many blocking handlers go on: this worker needs a new process");
        }
    }

    /// The next thread has ended: the slot of this queue is free. It never completes if there is none.
    pub(super) async fn ended(&mut self) -> Arc<str> {
        let Some(Ok(queue)) = self.threads.join_next().await else { return std::future::pending().await };
        if let Some(kept) = self.kept.get_mut(&queue) {
            *kept = kept.saturating_sub(1);
        }
        self.publish();
        queue
    }

    /// Says how it stands, and whether it is too many.
    fn publish(&self) -> bool {
        let leaked = self.threads.len();
        let whole_queue = self.kept.iter().any(|(queue, kept)| self.slots.get(queue).is_some_and(|all| kept >= all));
        let too_many = leaked >= self.most || whole_queue;
        self.state.send_replace(State { leaked, too_many });
        too_many
    }
}
