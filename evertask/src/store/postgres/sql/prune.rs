//! Removing what need not be kept: the oldest first, a few at a time. What somebody else has is stepped over.

/// A listing of what has ended, or lives, goes by the index of that.
pub(in crate::store::postgres) const BY_INDEX: &str = "SET LOCAL enable_seqscan = off";
/// The newest task that goes, where so many stay.
pub(in crate::store::postgres) const LAST_TASK: &str = "\
    SELECT finished_at, seq FROM task WHERE state = $1 AND finished_at IS NOT NULL AND run IS NULL \
    ORDER BY finished_at DESC, seq DESC LIMIT 1 OFFSET $2";
/// The same for runs.
pub(in crate::store::postgres) const LAST_RUN: &str = "\
    SELECT finished_at, seq FROM run WHERE state = $1 AND finished_at IS NOT NULL \
    ORDER BY finished_at DESC, seq DESC LIMIT 1 OFFSET $2";
/// Tasks outside of runs go with their lines and attempts.
pub(in crate::store::postgres) const PRUNE_TASKS: &str = "\
    WITH old AS MATERIALIZED \
        (SELECT id AS old FROM task WHERE state = $1 AND finished_at IS NOT NULL AND run IS NULL \
         AND (finished_at, seq) <= ($2, $3) ORDER BY finished_at, seq LIMIT $4 FOR UPDATE SKIP LOCKED) \
    DELETE FROM task USING old WHERE id = old";
/// The runs that go.
pub(in crate::store::postgres) const RUNS_TO_GO: &str = "\
    SELECT id FROM run WHERE state = $1 AND finished_at IS NOT NULL AND (finished_at, seq) <= ($2, $3) \
    ORDER BY finished_at, seq LIMIT $4 FOR UPDATE SKIP LOCKED";
/// A run goes whole: its tasks ..
pub(in crate::store::postgres) const DELETE_TASKS_OF: &str = "DELETE FROM task WHERE run = ANY($1)";
/// .. and what else is its.
pub(in crate::store::postgres) const DELETE_RUNS: &str = "DELETE FROM run WHERE id = ANY($1)";
/// Lines, apart from their tasks.
pub(in crate::store::postgres) const PRUNE_LINES: &str = "\
    WITH old AS MATERIALIZED \
        (SELECT task AS whose, line AS number FROM log WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) \
    DELETE FROM log USING old WHERE task = whose AND line = number";
/// What schedules have started, but for the newest of each.
pub(in crate::store::postgres) const PRUNE_OCCURRENCES: &str = "\
    WITH old AS MATERIALIZED \
        (SELECT schedule AS whose, slot AS before FROM occurrence AS old WHERE slot < $1 AND slot < \
             (SELECT max(slot) FROM occurrence WHERE schedule = old.schedule) \
         ORDER BY slot LIMIT $2 FOR UPDATE SKIP LOCKED) \
    DELETE FROM occurrence USING old WHERE schedule = whose AND slot = before";
