//! What can go wrong with a store, and whether trying again helps.

use crate::id::WorkId;

/// A store could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store can't be reached now, or is held by somebody else for too long. Trying again may help.
    #[error("the store is not available: {reason}")]
    Unavailable {
        /// What the database said.
        reason: String,
    },
    /// There is no room on the disk. Nothing was acknowledged; it heals when there is room again.
    #[error("the store's disk is full: {reason}")]
    Full {
        /// What the database said.
        reason: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// As many tasks wait in the queue as may, or it is being drained. Nothing of the dispatch was added.
    #[error("the queue `{queue}` takes no more: {reason}")]
    QueueFull {
        /// The queue.
        queue: String,
        /// In numbers.
        reason: String,
    },
    /// The key is taken, and the dispatch said that this is an error. Nothing of it was added.
    #[error("the key `{key}` of `{name}` is taken by {id}")]
    KeyTaken {
        /// The task or workflow.
        name: String,
        /// The key.
        key: String,
        /// Who has it.
        id: WorkId,
    },
    /// A transaction was given, or is needed, that is none of this store. Nothing was done.
    #[error("no transaction of this store: {reason}")]
    Foreign {
        /// Which it is, and which it should be.
        reason: String,
    },
    /// The file is not one of evertask's, is damaged, or belongs to a newer version.
    #[error("the store at `{place}` can't be used: {reason}")]
    Unusable {
        /// The file or URL.
        place: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A statement failed in a way that should not happen: please report it.
    #[error("the store refused a statement: {reason}")]
    Refused {
        /// What the database said.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same call may work later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full { .. } | Self::QueueFull { .. })
    }
}
