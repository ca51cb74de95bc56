//! What is done within a transaction, all or nothing of it, while the rest of that stays.

/// A part begins.
pub(in crate::store::sqlite) const BEGIN_PART: &str = "SAVEPOINT evertask_part";
/// All of it.
pub(in crate::store::sqlite) const KEEP_PART: &str = "RELEASE evertask_part";
/// Nothing of it.
pub(in crate::store::sqlite) const UNDO_PART: &str = "ROLLBACK TO evertask_part";
