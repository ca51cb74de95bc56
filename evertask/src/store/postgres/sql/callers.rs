//! What is done within a caller's transaction, all or nothing of it, while the rest of that stays.

/// A part begins.
pub(in crate::store::postgres) const BEGIN_PART: &str = "SAVEPOINT evertask_part";
/// All of it.
pub(in crate::store::postgres) const KEEP_PART: &str = "RELEASE SAVEPOINT evertask_part";
/// Nothing of it.
pub(in crate::store::postgres) const UNDO_PART: &str = "ROLLBACK TO SAVEPOINT evertask_part";

/// Whoever has waited for a lock before does not wait for it again.
pub(in crate::store::postgres) const HURRY: &str = "SET LOCAL lock_timeout = '50ms'";

/// What no other schema has, a copy of this one in the same cluster included.
pub(in crate::store::postgres) const IDENTITY: &str = "\
    SELECT current_database() || '/' || (extract(epoch FROM at) * 1000000)::bigint FROM migration WHERE number = 1";

/// Sets what holds for a part, if the table is there, and says what held before. `values` are pairs of literals.
pub(in crate::store::postgres) fn enter(table: &str, values: &str) -> String {
    format!(
        "WITH setting (name, value) AS (VALUES {values}), \
              before AS MATERIALIZED (SELECT name, value, current_setting(name) AS was FROM setting) \
         SELECT to_regclass({table}) IS NOT NULL, name, was, set_config(name, value, TRUE) FROM before"
    )
}
