//! Identities. They are ordered by time, and a continuation's follows from its parent's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, later than every one that this process made before.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id as a UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// The identity of a task.
    TaskId
}
id! {
    /// The identity of a run of a workflow.
    RunId
}
id! {
    /// One life of a worker. A restarted worker has a new one, so nobody takes it for the old.
    WorkerId
}

/// A task or a run: what can be cancelled and waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkId {
    /// A task.
    Task(TaskId),
    /// A run of a workflow.
    Run(RunId),
}

impl WorkId {
    /// The id as a UUID.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Task(id) => id.uuid(),
            Self::Run(id) => id.uuid(),
        }
    }
}

impl From<TaskId> for WorkId {
    fn from(id: TaskId) -> Self {
        Self::Task(id)
    }
}

impl From<RunId> for WorkId {
    fn from(id: RunId) -> Self {
        Self::Run(id)
    }
}

impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(id) => write!(f, "task {id}"),
            Self::Run(id) => write!(f, "run {id}"),
        }
    }
}

/// The id of what `parent` started over `edge`: the same each time, so that nothing can fork a chain.
///
/// The parent's time stays in front (a UUID of version 8), so that what belongs together lies together on disk.
pub(crate) fn derive(parent: Uuid, edge: &str, index: usize) -> Uuid {
    let name = format!("{edge}/{index}");
    let mut bytes = *Uuid::new_v5(&parent, name.as_bytes()).as_bytes();
    bytes[..6].copy_from_slice(&parent.as_bytes()[..6]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The id of the occurrence of a schedule at a slot: the same wherever it is computed. The slot's time is in front.
pub(crate) fn occurrence(schedule: &str, created_at: i64, slot: i64) -> Uuid {
    let name = format!("{created_at}/{slot}/{schedule}");
    let mut bytes = *Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).as_bytes();
    bytes[..6].copy_from_slice(&slot.to_be_bytes()[2..]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_id_is_stable_and_differs_by_parent_edge_and_index() {
        let parent = Uuid::now_v7();
        let id = derive(parent, "ship_order", 0);
        assert_eq!(id, derive(parent, "ship_order", 0));
        assert_ne!(id, derive(parent, "ship_order", 1));
        assert_ne!(id, derive(parent, "close_order", 0));
        assert_ne!(id, derive(Uuid::now_v7(), "ship_order", 0));
    }

    #[test]
    fn a_derived_id_keeps_its_parents_time() {
        let parent = Uuid::now_v7();
        assert_eq!(derive(parent, "e", 0).as_bytes()[..6], parent.as_bytes()[..6]);
    }
}
