//! How long what has ended is kept.

use crate::schedule::Timestamp;

/// What is kept of the work in one final state. What is `None` does not limit it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// What ended before this goes.
    pub since: Option<Timestamp>,
    /// The newest of so many stay, for tasks outside of runs and for runs each.
    pub most: Option<u64>,
}

/// What may go. Tasks outside of runs, and runs whole, with all that is theirs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prune {
    /// Of what succeeded.
    pub succeeded: Keep,
    /// Of what failed.
    pub failed: Keep,
    /// Of what was cancelled.
    pub cancelled: Keep,
    /// Log lines that are older go, and attempts' reports stay.
    pub logs_since: Option<Timestamp>,
    /// At most so many tasks, runs, lines and occurrences go in one transaction, each.
    pub most: u32,
}
