//! What follows from a transaction once it is on disk, and who is told of it.

use super::fleet::{Fleet, Held};
use super::request::{Request, Settle};
use super::wait::Waiters;
use crate::id::{WorkId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::{Claim, Claimed, Delivery, StoreError};

/// What follows from a transaction once it is on disk, and from nothing less.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) claims: Vec<(WorkerId, Held, Claimed)>,
    pub(crate) cancels: Vec<(WorkerId, Claim)>,
    pub(crate) ended: Vec<WorkId>,
    /// Workers that retired.
    pub(crate) gone: Vec<WorkerId>,
    /// When the first of what is not yet due will be; known when there is demand.
    pub(crate) next_due: Option<Timestamp>,
    /// There was more to look at than one transaction should: look again at once.
    pub(crate) more: bool,
    /// How many tasks it made ready that it has not claimed itself.
    #[cfg(feature = "postgres")]
    pub(crate) ready: usize,
    /// What was read of workers and deadlines is old.
    #[cfg(feature = "postgres")]
    pub(crate) stale: bool,
}

impl Effects {
    /// It is on disk: everybody is told. Settled goes before Claimed, and both before the answers.
    pub(crate) fn publish(self, batch: Vec<Request>, fleet: &mut Fleet, waiters: &Waiters) {
        fleet.commit();
        let mut rest = Vec::with_capacity(batch.len());
        for request in batch {
            match request {
                Request::Settle(settle) => settled(settle, fleet),
                Request::Attach(ask) => {
                    let (info, inbox) = &ask.about;
                    fleet.attach(info.id, inbox.clone(), info.knows.clone());
                    rest.push(Request::Attach(ask));
                }
                other => rest.push(other),
            }
        }
        fleet.bring(self.claims);
        fleet.tell_to_stop(self.cancels);
        for worker in self.gone {
            fleet.forget(worker);
        }
        for request in rest {
            request.answer();
        }
        if !self.ended.is_empty() {
            waiters.tell(&self.ended);
        }
    }
}

fn settled(settle: Settle, fleet: &mut Fleet) {
    for (claim, _) in &settle.settled {
        fleet.release(*claim);
    }
    #[cfg(feature = "sqlite")]
    if !settle.refused.is_empty() {
        fleet.deliver(settle.worker, Delivery::Refused(settle.refused));
    }
    if !settle.settled.is_empty() {
        fleet.deliver(settle.worker, Delivery::Settled(settle.settled));
    }
}

/// Nothing of it was done: whoever asked is told why.
pub(crate) fn refuse(request: Request, error: StoreError, fleet: &Fleet) {
    if let Some((Settle { worker, finished, .. }, error)) = request.refuse(error)
        && !finished.is_empty()
    {
        fleet.deliver(worker, Delivery::Unsettled { finished, error });
    }
}
