//! Cancelling.

/// Where a task stands.
pub(in crate::store::sqlite) const CANCEL_ROW: &str = concat!("SELECT ", stop_columns!(), " FROM task WHERE id = ?1");
/// waiting, ready or parked -> cancelled.
pub(in crate::store::sqlite) const CANCEL_WAITING: &str = "\
    UPDATE task SET state = 'cancelled', wait = NULL, due = NULL, park_reason = NULL, park_detail = NULL, \
                    finished_at = ?2 WHERE seq = ?1 AND state IN ('waiting', 'ready', 'parked')";
/// What follows a cancel is done by a worker: the task is due at once.
pub(in crate::store::sqlite) const CANCEL_ROUTED: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = iif(due = 2, 2, 1), run_at = min(run_at, ?2), \
                    park_reason = NULL, park_detail = NULL, cancel_requested = 1, reserved = NULL, rank = ",
    rank!("min(run_at, ?2)"),
    " WHERE seq = ?1 AND state IN ('waiting', 'ready', 'parked')"
);
/// A running task is told; whether it ends first is decided by the fence.
pub(in crate::store::sqlite) const CANCEL_RUNNING: &str =
    "UPDATE task SET cancel_requested = 1 WHERE seq = ?1 AND state = 'running' AND NOT cancel_requested";
/// Live runs of a name.
pub(in crate::store::sqlite) const RUNS_NAMED: &str =
    "SELECT id FROM run WHERE workflow = ?1 AND finished_at IS NULL ORDER BY seq";
/// Live runs that belong together.
pub(in crate::store::sqlite) const RUNS_CORRELATED: &str =
    "SELECT id FROM run WHERE correlation = ?1 AND finished_at IS NULL ORDER BY seq";
/// Live tasks of a name: by the partial indexes of what is live, so that what has ended costs nothing.
pub(in crate::store::sqlite) const TASKS_NAMED: &str = "\
    SELECT id, run, seq FROM task INDEXED BY task_later WHERE due = 0 AND wait IS NULL AND name = ?1 UNION ALL \
    SELECT id, run, seq FROM task INDEXED BY task_wait WHERE wait <> 'undo' AND name = ?1 UNION ALL \
    SELECT id, run, seq FROM task INDEXED BY task_due WHERE due = 1 AND name = ?1 UNION ALL \
    SELECT id, run, seq FROM task INDEXED BY task_aside WHERE due > 1 AND name = ?1 UNION ALL \
    SELECT id, run, seq FROM task INDEXED BY task_worker WHERE worker IS NOT NULL AND name = ?1 ORDER BY seq";
/// Live tasks that belong together.
pub(in crate::store::sqlite) const TASKS_CORRELATED: &str =
    "SELECT id, run, seq FROM task WHERE correlation = ?1 AND finished_at IS NULL AND wait IS NOT 'undo' ORDER BY seq";
