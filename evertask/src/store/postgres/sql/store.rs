//! Transactions, and the store itself.

// Transactions.

/// All of a transaction, or nothing.
pub(in crate::store::postgres) const BEGIN: &str = "BEGIN";
/// What only reads sees one moment.
pub(in crate::store::postgres) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Nothing was changed.
pub(in crate::store::postgres) const COMMIT: &str = "COMMIT";
/// Nothing of it.
pub(in crate::store::postgres) const ROLLBACK: &str = "ROLLBACK";

// The store itself.

/// This store is open.
pub(in crate::store::postgres) const INSERT_NODE: &str =
    "INSERT INTO node (id, batch) VALUES ($1, 0) ON CONFLICT DO NOTHING";
/// It is closed.
pub(in crate::store::postgres) const DELETE_NODE: &str = "DELETE FROM node WHERE id = $1";
/// Stores that were not closed, and have been silent for so long that nobody asks for them.
pub(in crate::store::postgres) const FORGET_NODES: &str =
    "DELETE FROM node WHERE seen < clock_timestamp() - interval '7 days'";
/// Whether a transaction is on disk whose answer was lost: the row waits for it to end, one way or the other.
pub(in crate::store::postgres) const LAST_BATCH: &str = "SELECT batch FROM node WHERE id = $1 FOR UPDATE";
/// It was not on disk, and never will be: its number has passed.
pub(in crate::store::postgres) const SKIP_BATCH: &str = "UPDATE node SET batch = $2 WHERE id = $1";
/// The number of a transaction, just before its commit. One whose number has passed fails here: its connection was
/// given up, and what it did is being done again on another. (A constant division would fail when it is planned.)
pub(in crate::store::postgres) fn number_batch(node: uuid::Uuid, number: i64) -> String {
    format!(
        "UPDATE node SET batch = CASE WHEN batch < {number} THEN {number} ELSE 1 / (batch - batch) END, \
         seen = clock_timestamp() WHERE id = '{node}'; "
    )
}
/// The database's time of day, by which delayed tasks become due.
pub(in crate::store::postgres) const TIME: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
/// What the server promises of a commit.
pub(in crate::store::postgres) const DURABILITY: &str =
    "SELECT current_setting('synchronous_commit'), current_setting('fsync')";
/// A new worker, and whoever parks what nobody knows, do not miss each other: it is for the one or for the others.
pub(in crate::store::postgres) const KNOWLEDGE_CHANGES: &str =
    "SELECT number FROM migration WHERE number = 1 FOR UPDATE";
/// The other side of it.
pub(in crate::store::postgres) const KNOWLEDGE_STAYS: &str = "SELECT number FROM migration WHERE number = 1 FOR SHARE";
