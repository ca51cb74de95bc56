//! The workers of this process, as the writer knows them: their free slots, what they hold, and where to
//! bring it. All of it agrees with what was committed, whatever becomes of a transaction.

use std::collections::HashMap;

use uuid::Uuid;

use crate::id::{RunId, TaskId, WorkerId};
use crate::store::{Claim, Claimed, Delivery, Inbox, Known};

/// The attached workers.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    workers: HashMap<WorkerId, Attached>,
    held: HashMap<TaskId, Held>,
}

/// One worker.
#[derive(Debug)]
pub(crate) struct Attached {
    inbox: Inbox,
    pub(crate) knows: Known,
    demand: Vec<Demand>,
    /// Detached, retired and lapsed workers claim no more.
    claims: bool,
}

impl Attached {
    /// Whether it may still claim. One that no longer listens would never run it.
    fn may_claim(&self) -> bool {
        self.claims && !self.inbox.is_closed()
    }
}

/// The free slots of one worker in one queue.
#[derive(Debug)]
struct Demand {
    queue: String,
    free: u32,
    /// So many of them are filled by the transaction that is under way.
    taken: u32,
}

/// What the store remembers of a claim, which spares it a look-up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// The number of its row, which SQLite finds it by.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code))]
    pub(crate) seq: i64,
    pub(crate) run: Option<RunId>,
    /// The group of the `each` that it is an item of.
    pub(crate) group: Option<Uuid>,
    /// Whether it undoes a step.
    pub(crate) undo: bool,
    /// Whether it has a slot that others may wait for.
    pub(crate) slotted: bool,
    pub(crate) fence: i64,
    pub(crate) worker: WorkerId,
    /// Whether its worker was told to stop it.
    pub(crate) told: bool,
}

/// One queue in which a worker has free slots.
#[derive(Debug)]
pub(crate) struct Wanting {
    pub(crate) worker: WorkerId,
    pub(crate) queue: String,
    pub(crate) slots: u32,
}

impl Fleet {
    pub(crate) fn attach(&mut self, worker: WorkerId, inbox: Inbox, knows: Known) {
        // A worker that was taken for dead stays for its last answers, until it no longer listens.
        self.workers.retain(|_, attached| !attached.inbox.is_closed());
        self.workers.insert(worker, Attached { inbox, knows, demand: Vec::new(), claims: true });
    }

    /// The worker claims no more.
    pub(crate) fn silence(&mut self, worker: WorkerId) {
        if let Some(attached) = self.workers.get_mut(&worker) {
            attached.claims = false;
        }
    }

    /// The worker is gone, and what it held.
    pub(crate) fn forget(&mut self, worker: WorkerId) {
        self.workers.remove(&worker);
        self.held.retain(|_, held| held.worker != worker);
    }

    /// More slots are free. They stay so whatever becomes of the transaction that they came with.
    pub(crate) fn add_free(&mut self, worker: WorkerId, free: Vec<(String, u32)>) {
        let Some(attached) = self.workers.get_mut(&worker) else { return };
        for (queue, slots) in free {
            match attached.demand.iter_mut().find(|demand| demand.queue == queue) {
                Some(demand) => demand.free = demand.free.saturating_add(slots),
                None => attached.demand.push(Demand { queue, free: slots, taken: 0 }),
            }
        }
    }

    /// Whether any slot waits for work.
    pub(crate) fn wants(&self) -> bool {
        self.workers.values().any(|worker| worker.may_claim() && worker.demand.iter().any(|demand| demand.left() > 0))
    }

    /// Which slots wait for work.
    pub(crate) fn wanting(&self) -> Vec<Wanting> {
        let workers = self.workers.iter().filter(|(_, attached)| attached.may_claim());
        let demands =
            workers.flat_map(|(&worker, attached)| attached.demand.iter().map(move |demand| (worker, demand)));
        demands
            .filter(|(_, demand)| demand.left() > 0)
            .map(|(worker, demand)| Wanting { worker, queue: demand.queue.clone(), slots: demand.left() })
            .collect()
    }

    /// Whether this worker has a free slot for such a task, and knows it.
    pub(crate) fn takes(&self, worker: WorkerId, queue: &str, name: &str, step: Option<(&str, &str)>) -> bool {
        self.workers.get(&worker).is_some_and(|attached| {
            attached.may_claim()
                && attached.demand.iter().any(|demand| demand.queue == queue && demand.left() > 0)
                && attached.knows.lacks(name, step).is_none()
        })
    }

    /// A slot is filled by the transaction that is under way.
    pub(crate) fn take(&mut self, worker: WorkerId, queue: &str) {
        let Some(attached) = self.workers.get_mut(&worker) else { return };
        if let Some(demand) = attached.demand.iter_mut().find(|demand| demand.queue == queue) {
            demand.taken += 1;
        }
    }

    /// The transaction is on disk: its slots are filled.
    pub(crate) fn commit(&mut self) {
        for demand in self.workers.values_mut().flat_map(|attached| &mut attached.demand) {
            demand.free = demand.free.saturating_sub(demand.taken);
            demand.taken = 0;
        }
    }

    /// The transaction was undone: its slots are free.
    pub(crate) fn roll_back(&mut self) {
        for demand in self.workers.values_mut().flat_map(|attached| &mut attached.demand) {
            demand.taken = 0;
        }
    }

    pub(crate) fn get(&self, worker: WorkerId) -> Option<&Attached> {
        self.workers.get(&worker)
    }

    /// The attached workers.
    pub(crate) fn ids(&self) -> Vec<WorkerId> {
        self.workers.keys().copied().collect()
    }

    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// What is remembered of a claim.
    pub(crate) fn held(&self, claim: Claim) -> Option<Held> {
        self.held.get(&claim.id).filter(|held| held.fence == claim.fence).copied()
    }

    /// How many attempts run.
    pub(crate) fn running(&self) -> usize {
        self.held.len()
    }

    /// A claim is on disk.
    pub(crate) fn hold(&mut self, task: TaskId, held: Held) {
        self.held.insert(task, held);
    }

    /// A claim has ended.
    pub(crate) fn release(&mut self, claim: Claim) {
        if self.held.get(&claim.id).is_some_and(|held| held.fence == claim.fence) {
            self.held.remove(&claim.id);
        }
    }

    /// Brings something to a worker. One that is gone gets nothing.
    pub(crate) fn deliver(&self, worker: WorkerId, delivery: Delivery) {
        if let Some(attached) = self.workers.get(&worker) {
            // Its receiver goes when the worker does.
            let _ = attached.inbox.send(delivery);
        }
    }

    /// Tells the workers what to stop, each once.
    pub(crate) fn tell_to_stop(&mut self, cancels: Vec<(WorkerId, Claim)>) {
        for (worker, claims) in by_worker(cancels) {
            let news: Vec<Claim> = claims.into_iter().filter(|&claim| self.note_told(claim)).collect();
            if !news.is_empty() {
                self.deliver(worker, Delivery::Cancel(news));
            }
        }
    }

    fn note_told(&mut self, claim: Claim) -> bool {
        match self.held.get_mut(&claim.id).filter(|held| held.fence == claim.fence) {
            Some(held) => !std::mem::replace(&mut held.told, true),
            None => true,
        }
    }

    /// Brings each worker what it claimed.
    pub(crate) fn bring(&mut self, claims: Vec<(WorkerId, Held, Claimed)>) {
        let mut claimed = Vec::with_capacity(claims.len());
        for (worker, held, task) in claims {
            self.hold(task.claim.id, held);
            claimed.push((worker, task));
        }
        for (worker, tasks) in by_worker(claimed) {
            self.deliver(worker, Delivery::Claimed(tasks));
        }
    }
}

impl Demand {
    fn left(&self) -> u32 {
        self.free.saturating_sub(self.taken)
    }
}

/// Sorted by worker; each worker's in their order.
fn by_worker<T>(pairs: Vec<(WorkerId, T)>) -> Vec<(WorkerId, Vec<T>)> {
    let mut sorted: Vec<(WorkerId, Vec<T>)> = Vec::new();
    for (worker, item) in pairs {
        match sorted.iter_mut().find(|(of, _)| *of == worker) {
            Some((_, items)) => items.push(item),
            None => sorted.push((worker, vec![item])),
        }
    }
    sorted
}
