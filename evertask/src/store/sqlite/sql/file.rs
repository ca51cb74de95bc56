//! The file, and transactions on it.

// The file.

/// Which program the file belongs to.
pub(in crate::store::sqlite) const APPLICATION_ID: &str = "PRAGMA application_id";
/// Which migrations it has had.
pub(in crate::store::sqlite) const USER_VERSION: &str = "PRAGMA user_version";
/// Whether it is empty.
pub(in crate::store::sqlite) const ANY_TABLE: &str = "SELECT count(*) FROM sqlite_schema";
/// Read back, because SQLite takes a value that it does not know without a word.
pub(in crate::store::sqlite) const SYNCHRONOUS: &str = "PRAGMA synchronous";
/// Read back.
pub(in crate::store::sqlite) const JOURNAL_MODE: &str = "PRAGMA journal_mode";
/// Changes when another process commits, and costs next to nothing to ask.
pub(in crate::store::sqlite) const DATA_VERSION: &str = "PRAGMA data_version";
/// Moves what it can from the WAL to the file, without waiting for anybody.
pub(in crate::store::sqlite) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

// Transactions.

/// A writer never begins as a reader: that would fail, whatever the time-out, when another wrote in between.
pub(in crate::store::sqlite) const BEGIN: &str = "BEGIN IMMEDIATE";
/// All of a batch.
pub(in crate::store::sqlite) const COMMIT: &str = "COMMIT";
/// Nothing of it.
pub(in crate::store::sqlite) const ROLLBACK: &str = "ROLLBACK";
/// A snapshot for several reads.
pub(in crate::store::sqlite) const BEGIN_READ: &str = "BEGIN DEFERRED";
