//! What has failed for good and waits for somebody: what can be done to it.

use crate::store::{RateLimit, SlotLimit};

/// What a task has instead, when it is tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edited {
    /// Its payload.
    pub payload: Vec<u8>,
    /// How many tasks that share this limit may start in a time.
    pub rate: Option<RateLimit>,
    /// How many tasks that share this limit may run at once.
    pub slots: Option<SlotLimit>,
}

/// What became of a task that was to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Revived {
    /// It is ready again, with all its attempts before it; its run goes on with it.
    Ready,
    /// It has not failed.
    NotFailed,
    /// Something has followed its failure, or the end of its run, already: that would happen twice. Or its run went
    /// on without it, or another step ended while the run stopped, and what should have followed was left out.
    Followed,
    /// Steps of its run were undone.
    Undone,
    /// Its run still stops what it has: ask again when the run has ended.
    Stopping,
    /// There is no such task.
    NotFound,
}
