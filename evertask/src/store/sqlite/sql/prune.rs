//! Removing what need not be kept: the oldest first, a few at a time.

/// What ends outside of runs is listed by the transaction that ends it.
pub(in crate::store::sqlite) const LIST_ENDED: &str =
    "INSERT INTO ended (state, at, first, tasks) VALUES (?1, ?2, ?3, ?4)";
/// The rows one of which lists a task that has ended.
pub(in crate::store::sqlite) const LISTED_WITH: &str = "\
    SELECT task.seq, ended.state, ended.at, ended.first, ended.tasks FROM task \
    CROSS JOIN ended ON ended.state = task.state AND ended.at = task.finished_at AND ended.first <= task.seq \
    WHERE task.id = ?1 AND task.run IS NULL AND task.finished_at IS NOT NULL";
/// A row goes with its tasks, or is written anew.
pub(in crate::store::sqlite) const UNLIST: &str = "DELETE FROM ended WHERE state = ?1 AND at = ?2 AND first = ?3";
/// How many ended when, the newest first.
pub(in crate::store::sqlite) const ENDS_COUNTED: &str =
    "SELECT at, sum(json_array_length(tasks)) FROM ended WHERE state = ?1 GROUP BY at ORDER BY at DESC";
/// When the oldest of them ended.
pub(in crate::store::sqlite) const OLDEST_END: &str = "SELECT at FROM ended WHERE state = ?1 ORDER BY at LIMIT 1";
/// Those that ended then.
pub(in crate::store::sqlite) const ENDED_AT: &str =
    "SELECT first, tasks FROM ended WHERE state = ?1 AND at = ?2 ORDER BY first";
/// The newest run that goes, where so many stay.
pub(in crate::store::sqlite) const LAST_RUN: &str = "\
    SELECT finished_at, seq FROM run WHERE state = ?1 AND finished_at IS NOT NULL \
    ORDER BY finished_at DESC, seq DESC LIMIT 1 OFFSET ?2";
/// Tasks outside of runs go with their lines and attempts.
pub(in crate::store::sqlite) const PRUNE_TASKS: &str = "\
    DELETE FROM task WHERE seq IN (SELECT value FROM json_each(?1)) AND finished_at IS NOT NULL AND run IS NULL";
/// The runs that go.
pub(in crate::store::sqlite) const RUNS_TO_GO: &str = "\
    SELECT id FROM run WHERE state = ?1 AND finished_at IS NOT NULL AND (finished_at, seq) <= (?2, ?3) \
    ORDER BY finished_at, seq LIMIT ?4";
/// A run goes whole: its tasks ..
pub(in crate::store::sqlite) const DELETE_TASKS_OF: &str = "DELETE FROM task WHERE run = ?1";
/// .. and what else is its.
pub(in crate::store::sqlite) const DELETE_RUN: &str = "DELETE FROM run WHERE id = ?1";
/// Lines, apart from their tasks.
pub(in crate::store::sqlite) const PRUNE_LINES: &str = "\
    DELETE FROM log WHERE (task, line) IN (SELECT task, line FROM log WHERE at < ?1 ORDER BY at LIMIT ?2)";
/// What schedules have started, but for the newest of each.
pub(in crate::store::sqlite) const PRUNE_OCCURRENCES: &str = "\
    DELETE FROM occurrence WHERE (schedule, slot) IN \
    (SELECT schedule, slot FROM occurrence AS old WHERE slot < ?1 AND slot < \
     (SELECT max(slot) FROM occurrence WHERE schedule = old.schedule) ORDER BY slot LIMIT ?2)";
/// A rate of which nothing is spent need not be kept.
pub(in crate::store::sqlite) const PRUNE_BUCKETS: &str = "\
    DELETE FROM bucket WHERE name IN (SELECT name FROM bucket WHERE spent <= ?1 ORDER BY spent LIMIT ?2)";
