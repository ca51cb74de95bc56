//! A worker without handlers: a test says what it claims and what its attempts come to.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::DEFAULT_QUEUE;
use crate::id::WorkerId;
use crate::store::{
    Beat, Claim, Claimed, Delivery, Finished, Known, Notes, Peer, QueueRules, Settled, Store, StoreError, Verdict,
    WorkerInfo,
};

/// How long a test waits for what must come, before it says that it did not.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker that is played by a test.
pub struct TestWorker {
    /// Its life.
    pub id: WorkerId,
    store: Arc<dyn Store>,
    inbox: UnboundedReceiver<Delivery>,
    claimed: VecDeque<Claimed>,
    settled: VecDeque<(Claim, Settled)>,
    told: VecDeque<Claim>,
    unsettled: VecDeque<(Vec<Finished>, StoreError)>,
}

impl TestWorker {
    /// A new worker begins its life.
    pub async fn attach(store: Arc<dyn Store>, place: &str, knows: Known) -> Self {
        Self::declare(store, place, knows, Vec::new()).await
    }

    /// A new worker begins its life, and declares rules of queues.
    pub async fn declare(store: Arc<dyn Store>, place: &str, knows: Known, queues: Vec<(String, QueueRules)>) -> Self {
        let id = WorkerId::new();
        let (sender, inbox) = unbounded_channel();
        let info = WorkerInfo { queues, id, place: place.to_owned(), lease: Duration::from_secs(30), knows };
        store.attach(info, sender).await.expect("the worker is attached");
        Self {
            id,
            store,
            inbox,
            claimed: VecDeque::new(),
            settled: VecDeque::new(),
            told: VecDeque::new(),
            unsettled: VecDeque::new(),
        }
    }

    /// Says that slots of the default queue are free.
    pub fn free(&self, slots: u32) {
        self.free_in(DEFAULT_QUEUE, slots);
    }

    /// Says that slots of this queue are free.
    pub fn free_in(&self, queue: &str, slots: u32) {
        self.store.settle(self.id, Vec::new(), vec![(queue.to_owned(), slots)]);
    }

    /// The next claimed task.
    pub async fn next(&mut self) -> Claimed {
        self.wait_for("a claimed task", |worker| worker.claimed.pop_front()).await
    }

    /// The next claimed tasks, in order.
    pub async fn take(&mut self, count: usize) -> Vec<Claimed> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.push(self.next().await);
        }
        taken
    }

    /// Frees one slot of the default queue, and waits for what fills it.
    pub async fn claim(&mut self) -> Claimed {
        self.free(1);
        self.next().await
    }

    /// The tasks that were claimed by now; it does not wait for any.
    pub async fn came(&mut self) -> Vec<Claimed> {
        self.beat().await;
        while let Ok(delivery) = self.inbox.try_recv() {
            self.sort(delivery);
        }
        self.claimed.drain(..).collect()
    }

    /// The next answer to an attempt that was ended.
    pub async fn answer(&mut self) -> (Claim, Settled) {
        self.wait_for("the answer to a settle", |worker| worker.settled.pop_front()).await
    }

    /// The next running task that is to stop.
    pub async fn told(&mut self) -> Claim {
        self.wait_for("a cancel", |worker| worker.told.pop_front()).await
    }

    /// The next settle that failed.
    pub async fn unsettled(&mut self) -> (Vec<Finished>, StoreError) {
        self.wait_for("a failed settle", |worker| worker.unsettled.pop_front()).await
    }

    /// Ends an attempt.
    pub async fn finish(&mut self, claim: Claim, verdict: Verdict) -> Settled {
        self.settle(vec![Finished { claim, verdict, notes: Notes::default() }], 0).await[0]
    }

    /// Ends an attempt, and frees its slot of the default queue.
    pub async fn finish_and_free(&mut self, claim: Claim, verdict: Verdict) -> Settled {
        self.settle(vec![Finished { claim, verdict, notes: Notes::default() }], 1).await[0]
    }

    /// Ends attempts in one call, and waits for all the answers.
    pub async fn settle(&mut self, finished: Vec<Finished>, free: u32) -> Vec<Settled> {
        let claims: Vec<Claim> = finished.iter().map(|finished| finished.claim).collect();
        let free = if free == 0 { Vec::new() } else { vec![(DEFAULT_QUEUE.to_owned(), free)] };
        self.store.settle(self.id, finished, free);
        let mut answers = Vec::with_capacity(claims.len());
        for claim in claims {
            let (answered, settled) = self.answer().await;
            assert_eq!(answered, claim, "the answers come in the order of the attempts");
            answers.push(settled);
        }
        answers
    }

    /// Gives a sign of life.
    pub async fn beat(&self) -> Beat {
        self.store.beat(self.id).await.expect("a beat is answered")
    }

    /// Claims no more.
    pub async fn detach(&self) {
        self.store.detach(self.id).await.expect("the worker is detached");
    }

    /// Ends its life.
    pub async fn retire(&self) {
        self.store.retire(self.id).await.expect("the worker is retired");
    }

    /// This worker, as others see it.
    pub async fn peer(&self) -> Peer {
        let peers = self.store.workers().await.expect("the workers are listed");
        peers.into_iter().find(|peer| peer.id == self.id).expect("the worker is listed")
    }

    /// Checks that nothing came, and that nothing is under way: claims and cancels both.
    ///
    /// Whatever was asked of the store before has been done, and delivered, when a beat is answered.
    pub async fn quiet(&mut self) {
        self.beat().await;
        while let Ok(delivery) = self.inbox.try_recv() {
            self.sort(delivery);
        }
        assert!(self.claimed.is_empty(), "nothing should be claimed: {:?}", self.claimed);
        assert!(self.told.is_empty(), "nothing should be cancelled: {:?}", self.told);
    }

    /// The next delivery as it came.
    pub async fn delivery(&mut self) -> Delivery {
        let delivery = tokio::time::timeout(PATIENCE, self.inbox.recv()).await;
        delivery.expect("something is delivered in time").expect("the store still delivers")
    }

    async fn wait_for<T>(&mut self, what: &str, mut ready: impl FnMut(&mut Self) -> Option<T>) -> T {
        loop {
            if let Some(found) = ready(self) {
                return found;
            }
            match tokio::time::timeout(PATIENCE, self.inbox.recv()).await {
                Ok(Some(delivery)) => self.sort(delivery),
                Ok(None) => panic!("the store hung up while the worker waited for {what}"),
                Err(elapsed) => panic!("the worker waited in vain for {what}, {elapsed}: {self:?}"),
            }
        }
    }

    fn sort(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Claimed(claimed) => self.claimed.extend(claimed),
            Delivery::Settled(settled) => self.settled.extend(settled),
            Delivery::Unsettled { finished, error } => self.unsettled.push_back((finished, error)),
            Delivery::Cancel(claims) => self.told.extend(claims),
            Delivery::Refused(refused) => panic!("nothing was to commit with these: {refused:?}"),
        }
    }
}

impl fmt::Debug for TestWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestWorker")
            .field("id", &self.id)
            .field("claimed", &self.claimed)
            .field("settled", &self.settled)
            .field("told", &self.told)
            .field("unsettled", &self.unsettled)
            .finish_non_exhaustive()
    }
}
