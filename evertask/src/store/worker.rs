//! What a store and its workers say to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::id::WorkerId;
use crate::store::{Claim, Claimed, Finished, ParkReason, QueueRules, Settled, StoreError};

/// What a worker says of itself.
#[derive(Debug, Clone)]
pub struct WorkerInfo {
    /// This life.
    pub id: WorkerId,
    /// Where it runs, for people: host and process.
    pub place: String,
    /// How long its claims outlive its last sign of life.
    pub lease: Duration,
    /// What it can run.
    pub knows: Known,
    /// The rules that it declares for queues; they hold from now on, for all workers.
    pub queues: Vec<(String, QueueRules)>,
}

/// What a worker can run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Names of tasks.
    pub tasks: BTreeSet<String>,
    /// Steps by workflow.
    pub steps: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    /// What is missing to run a task, if anything.
    pub fn lacks(&self, name: &str, step: Option<(&str, &str)>) -> Option<ParkReason> {
        match step {
            Some((workflow, step)) => {
                let known = self.steps.get(workflow).is_some_and(|steps| steps.contains(step));
                (!known).then_some(ParkReason::UnknownStep)
            }
            None => (!self.tasks.contains(name)).then_some(ParkReason::UnknownTask),
        }
    }
}

/// Where a worker gets its deliveries. It is bounded by the slots that the worker said were free,
/// and by what it has settled.
pub type Inbox = mpsc::UnboundedSender<Delivery>;

/// What a store brings to a worker.
#[derive(Debug)]
pub enum Delivery {
    /// Tasks that this worker runs now, each in a slot that it said was free.
    Claimed(Vec<Claimed>),
    /// The attempts of one `settle`, in order: whether the claim still held.
    Settled(Vec<(Claim, Settled)>),
    /// The transaction of one `settle` failed: everything is as before, and must be given again.
    Unsettled {
        /// The attempts.
        finished: Vec<Finished>,
        /// Why.
        error: StoreError,
    },
    /// What these attempts were to write failed, each for this reason, and nothing of it is written: they still run, and
    /// must be ended another way. The others of the `settle` are answered as ever.
    Refused(Vec<(Claim, String)>),
    /// These running tasks are to stop.
    Cancel(Vec<Claim>),
}

/// The answer to a sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beat {
    /// The worker is listed. These tasks of it are to stop.
    Alive(Vec<Claim>),
    /// It was taken for dead: its claims are gone, and it must begin a new life.
    Lapsed,
}

/// A worker, as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its life.
    pub id: WorkerId,
    /// Where it runs.
    pub place: String,
    /// How many signs of life it gave.
    pub beat: i64,
    /// How long its claims outlive the last.
    pub lease: Duration,
}
