//! Queues: what limits them, and how they stand.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// So many in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rate {
    /// How many may start ..
    pub tasks: u32,
    /// .. in this time. They are spread evenly over it, after the first `burst`.
    pub per: Duration,
    /// How many may start at once after a rest; at least one.
    pub burst: u32,
}

/// What holds for a queue, whichever worker serves it. What is `None` is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueueRules {
    /// How many of its tasks may run at once, on all workers together.
    pub concurrency: Option<u32>,
    /// How many of its tasks may start in a time, on all workers together.
    pub rate: Option<Rate>,
    /// How many of its tasks may be due and wait for a slot. More are refused, unless they follow a task.
    pub depth: Option<u32>,
    /// How long a wait is worth one level of priority. A minute, if not said.
    pub ageing: Option<Duration>,
}

impl QueueRules {
    /// What a level of priority is worth where nothing is said.
    pub const AGEING: Duration = Duration::from_mins(1);
}

/// Whether a queue is served, and takes work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    /// It takes work, and workers take it.
    #[default]
    Open,
    /// It takes work, and nothing of it starts.
    Paused,
    /// It takes no work but what follows its tasks, and workers empty it.
    Draining,
}

impl QueueState {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Draining => "draining",
        }
    }
}

/// What is to change of a queue. What is `None` stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueChange {
    /// Whether it is served.
    pub state: Option<QueueState>,
    /// What limits it: all rules at once.
    pub rules: Option<QueueRules>,
}

/// A queue, as it stands: one that was changed, is declared by a worker, or has live tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueRecord {
    /// Its name.
    pub name: String,
    /// Whether it is served.
    pub state: QueueState,
    /// What limits it.
    pub rules: QueueRules,
    /// Tasks that are due and wait for a slot.
    pub due: u64,
    /// Tasks that are ready later: delayed, or before a retry.
    pub later: u64,
    /// Tasks that run.
    pub running: u64,
}
