//! Cancelling.

/// Whose task it is: its run's row is locked before its own.
pub(in crate::store::postgres) const RUN_OF_TASK: &str = "SELECT run FROM task WHERE id = $1";
/// Where a task stands.
pub(in crate::store::postgres) const CANCEL_ROW: &str =
    concat!("SELECT ", stop_columns!(), " FROM task WHERE id = $1 FOR UPDATE");
/// waiting, ready or parked -> cancelled.
pub(in crate::store::postgres) const CANCEL_WAITING: &str = "\
    UPDATE task SET state = 'cancelled', wait = NULL, due = NULL, park_reason = NULL, park_detail = NULL, \
                    finished_at = $2 WHERE id = ANY($1) AND state IN ('waiting', 'ready', 'parked')";
/// What follows a cancel is done by a worker: the task is due at once.
pub(in crate::store::postgres) const CANCEL_ROUTED: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = CASE WHEN due = 2 THEN 2 ELSE 1 END, \
                     run_at = least(run_at, $2), park_reason = NULL, park_detail = NULL, cancel_requested = TRUE, \
                     reserved = NULL, rank = ",
    rank!("least(run_at, $2)"),
    " WHERE id = $1 AND state IN ('waiting', 'ready', 'parked')"
);
/// A running task is told; whether it ends first is decided by the fence.
pub(in crate::store::postgres) const CANCEL_RUNNING: &str =
    "UPDATE task SET cancel_requested = TRUE WHERE id = $1 AND state = 'running' AND NOT cancel_requested";
/// Live runs of a name.
pub(in crate::store::postgres) const RUNS_NAMED: &str =
    "SELECT id FROM run WHERE workflow = $1 AND finished_at IS NULL ORDER BY seq";
/// Live runs that belong together.
pub(in crate::store::postgres) const RUNS_CORRELATED: &str =
    "SELECT id FROM run WHERE correlation = $1 AND finished_at IS NULL ORDER BY seq";
/// Live tasks of a name: by the partial indexes of what is live, so that what has ended costs nothing.
pub(in crate::store::postgres) const TASKS_NAMED: &str = "\
    SELECT id, run, seq FROM task WHERE due = 0 AND wait IS NULL AND name = $1 UNION ALL \
    SELECT id, run, seq FROM task WHERE wait IS NOT NULL AND wait <> 'undo' AND name = $1 UNION ALL \
    SELECT id, run, seq FROM task WHERE due = 1 AND name = $1 UNION ALL \
    SELECT id, run, seq FROM task WHERE due > 1 AND name = $1 UNION ALL \
    SELECT id, run, seq FROM task WHERE worker IS NOT NULL AND name = $1 ORDER BY seq";
/// Live tasks that belong together.
pub(in crate::store::postgres) const TASKS_CORRELATED: &str = "\
    SELECT id, run, seq FROM task WHERE correlation = $1 AND finished_at IS NULL AND wait IS DISTINCT FROM 'undo' \
    ORDER BY seq";
