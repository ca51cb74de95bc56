//! Runs: how they go on, are held, are undone, and are steps of other runs.

// Runs.

/// What decides about what follows a step.
pub(in crate::store::sqlite) const RUN_ROW: &str = "\
    SELECT workflow, state, open_tasks, output IS NOT NULL, undos, arrivals, end_routed OR step IS NOT NULL, lost \
    FROM run WHERE id = ?1";
/// The run goes on, with so many tasks.
pub(in crate::store::sqlite) const SET_RUN: &str = "\
    UPDATE run SET state = ?2, open_tasks = ?3, undos = ?4, arrivals = ?5, failure = coalesce(failure, ?6) \
    WHERE id = ?1";
/// The output is what the last step said.
pub(in crate::store::sqlite) const SET_OUTPUT: &str =
    "UPDATE run SET output = ?2 WHERE id = ?1 AND state IN ('running', 'paused')";
/// A run ends in the transaction that ends its last task.
pub(in crate::store::sqlite) const END_RUN: &str = "\
    UPDATE run SET state = ?2, open_tasks = 0, arrivals = ?7, finished_at = ?3, \
                   failure = coalesce(failure, ?4), undo_failed = ?5, undos = ?6 \
    WHERE id = ?1 AND finished_at IS NULL \
    RETURNING end_routed, step, EXISTS (SELECT 1 FROM signal WHERE signal.run = ?1), \
              EXISTS (SELECT 1 FROM each WHERE each.run = ?1)";
/// What was ready or waited when its run failed, so that it can be again.
pub(in crate::store::sqlite) const MARK_STOPPED: &str = "UPDATE task SET was = coalesce(wait, state) WHERE seq = ?1";
/// What is still to end when a run is cancelled or fails; what undoes its steps is not stopped by that.
pub(in crate::store::sqlite) const LIVE_OF_RUN: &str = concat!(
    "SELECT ",
    stop_columns!(),
    " FROM task WHERE run = ?1 AND undo IS NULL AND state IN ('waiting', 'ready', 'running', 'parked')"
);
/// Runs whose time is up, held ones too.
pub(in crate::store::sqlite) const EXPIRED: &str = "\
    SELECT id FROM run WHERE deadline IS NOT NULL AND finished_at IS NULL AND deadline <= ?1 \
    AND state IN ('running', 'paused') ORDER BY deadline";

// Runs that are held.

/// running -> paused.
pub(in crate::store::sqlite) const PAUSE: &str = "UPDATE run SET state = 'paused' WHERE id = ?1 AND state = 'running'";
/// Nothing new of a held run starts; nor does what waits for a slot.
pub(in crate::store::sqlite) const HOLD_TASKS: &str = "\
    UPDATE task SET state = 'waiting', wait = 'pause', due = NULL \
    WHERE run = ?1 AND (state = 'ready' OR wait = 'slot') RETURNING slot";
/// The same for one task that is ready again.
pub(in crate::store::sqlite) const HOLD_TASK: &str = "\
    UPDATE task SET state = 'waiting', wait = 'pause', due = NULL \
    WHERE seq = ?1 AND state = 'ready' AND (SELECT state FROM run WHERE run.id = task.run) = 'paused' \
    RETURNING slot";
/// paused -> running.
pub(in crate::store::sqlite) const RESUME: &str = "UPDATE run SET state = 'running' WHERE id = ?1 AND state = 'paused'";
/// What was held is ready when it was to be.
pub(in crate::store::sqlite) const RELEASE_TASKS: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = iif(run_at <= ?2, 1, 0), rank = ",
    rank!("run_at"),
    " WHERE ",
    line!(),
    " = ?1 AND wait = 'pause'"
);

// Undoing.

/// The newest first, one at a time.
pub(in crate::store::sqlite) const NEXT_UNDO: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = iif(run_at <= ?2, 1, 0), rank = ",
    rank!("run_at"),
    " WHERE seq = (SELECT seq FROM task WHERE ",
    line!(),
    " = ?1 AND wait = 'undo' ORDER BY ",
    place!(),
    " DESC LIMIT 1)"
);
/// What a run did that succeeded is not undone.
pub(in crate::store::sqlite) const DROP_UNDOS: &str =
    concat!("DELETE FROM task WHERE ", line!(), " = ?1 AND wait = 'undo'");
/// Unless it was a step: then the other run undoes it, after what it does later.
pub(in crate::store::sqlite) const MOVE_UNDOS: &str =
    concat!("UPDATE task SET run = ?2, undo = undo + ?3 WHERE ", line!(), " = ?1 AND wait = 'undo'");
/// Where a compensation has stopped.
pub(in crate::store::sqlite) const UNDO_FAILED: &str =
    "SELECT undo_failed FROM run WHERE id = ?1 AND undo_failed IS NOT NULL";
/// It goes on there.
pub(in crate::store::sqlite) const RESUME_UNDO: &str = concat!(
    "UPDATE task SET state = 'ready', due = 1, run_at = ?2, finished_at = NULL, cancel_requested = 0, was = NULL, rank = ",
    rank!("?2"),
    " WHERE seq = ?1 AND undo IS NOT NULL AND state IN ('failed', 'cancelled')"
);
/// failed -> compensating.
pub(in crate::store::sqlite) const RESUME_COMPENSATION: &str = "\
    UPDATE run SET state = 'compensating', open_tasks = 1, finished_at = NULL, undo_failed = NULL \
    WHERE id = ?1 AND state = 'failed'";

// Runs that are steps.

/// The step that waits for the end of a run.
pub(in crate::store::sqlite) const WAITING_STEP: &str =
    concat!("SELECT ", stop_columns!(), ", cancel_requested FROM task WHERE id = ?1 AND wait = 'run'");
/// It has it, and is ready.
pub(in crate::store::sqlite) const GIVE_END: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = 1, run_at = ?2, payload = ?3, got = 'run', rank = ",
    rank!("?2"),
    " WHERE seq = ?1 AND wait = 'run'"
);
/// The run that a step waits for.
pub(in crate::store::sqlite) const INNER_RUN: &str = "SELECT id FROM run WHERE step = ?1 AND finished_at IS NULL";
/// The step ends when that has ended.
pub(in crate::store::sqlite) const CANCEL_STEP: &str =
    "UPDATE task SET cancel_requested = 1 WHERE seq = ?1 AND wait = 'run'";
/// The places of what it undoes are taken.
pub(in crate::store::sqlite) const SET_UNDOS: &str = "UPDATE run SET undos = ?2 WHERE id = ?1";
