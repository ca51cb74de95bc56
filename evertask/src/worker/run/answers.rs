//! What the store answers to the ends of attempts.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Loop, RETRY_PAUSES};
use crate::room::in_attempt;
use crate::store::{Claim, Finished, Settled, StoreError};
use crate::worker::attempt::{contained, refused};

/// A result that the store refuses so often, for what it is, is not offered again: its task fails.
const REFUSALS: u32 = 3;

impl Loop {
    /// The store has answered for so many attempts.
    fn answered(&mut self, attempts: usize) {
        self.unsettled -= attempts.min(self.unsettled);
        self.retry = if self.held.is_empty() { None } else { self.retry };
    }

    /// These attempts are ended, or others have ended them.
    pub(super) fn settled(&mut self, settled: &[(Claim, Settled)]) {
        self.answered(settled.len());
        if !self.refused.is_empty() {
            self.refused.retain(|claim, _| !settled.iter().any(|(of, _)| of == claim));
        }
        self.aftermath.settled(settled);
    }

    /// What was to commit with these attempts was refused: they end another way.
    pub(super) fn end_otherwise(&mut self, refused: Vec<(Claim, String)>) {
        self.answered(refused.len());
        for (claim, reason) in refused {
            let Some((cx, otherwise)) = self.aftermath.otherwise(claim) else { continue };
            tracing::warn!(task = cx.name(), id = %claim.id, reason, "what was to commit with a task was refused");
            let attempt = otherwise(reason);
            self.attempts.spawn(in_attempt(async move { (contained(cx, attempt).await, None) }));
        }
    }

    /// Results that the store did not take are held, and offered again while the claims may still be ours.
    pub(super) fn hold(&mut self, finished: Vec<Finished>, error: &StoreError) {
        self.unsettled -= finished.len().min(self.unsettled);
        if *error == StoreError::Closed {
            tracing::error!(
                results = finished.len(),
                "the store was closed under a worker: these results are lost, and their tasks run again"
            );
            return;
        }
        if matches!(error, StoreError::Refused { .. }) {
            return self.refuse(finished, error);
        }
        if self.held.is_empty() {
            tracing::warn!(%error, results = finished.len(), "the store does not take results: they are held");
        }
        self.held.extend(finished);
        self.try_again();
    }

    fn try_again(&mut self) {
        if self.retry.is_none() {
            self.retry = Some((Instant::now() + RETRY_PAUSES.0, RETRY_PAUSES.0));
        }
    }

    /// Results that the store refuses for what they are. One of several may be the only bad one, so each is offered
    /// by itself; one that is refused by itself, again and again, becomes a failure.
    fn refuse(&mut self, mut finished: Vec<Finished>, error: &StoreError) {
        if finished.len() > 1 {
            for one in finished {
                self.settle(vec![one], BTreeMap::new());
            }
            return;
        }
        let Some(finished) = finished.pop() else { return };
        let claim = finished.claim;
        let times = self.refused.entry(claim).or_insert(0);
        *times += 1;
        if *times < REFUSALS {
            self.held.push(finished);
            return self.try_again();
        }
        if *times > REFUSALS {
            self.refused.remove(&claim);
            tracing::error!(
                id = %claim.id, %error,
                "the store refuses to fail the task, too: it stays with this worker, and runs again when that ends"
            );
            return;
        }
        tracing::error!(id = %claim.id, %error, "the store refuses the task's result: the task fails");
        let (store, worker, record) = (self.store.clone(), self.info.id, self.store.task(claim.id));
        let message = format!("its result was not taken: {error}");
        self.unsettled += 1;
        self.side.spawn(async move {
            let finished = match record.await {
                Ok(Some(task)) => refused(claim, &task.name, message, task.failures.saturating_add(1)),
                // It comes back refused, or fenced, and is given up.
                _ => finished,
            };
            store.settle(worker, vec![finished], Vec::new());
        });
    }
}
