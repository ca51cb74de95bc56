//! Runs: as such, held, undone, and as steps of others.

// Runs.

/// What decides about what follows a step. Whoever changes a run, or what belongs to it, has its row first.
pub(in crate::store::postgres) const RUN_ROWS: &str = "\
    SELECT id, workflow, state, open_tasks, output IS NOT NULL, undos, arrivals, end_routed, step, signalled, lost \
    FROM run WHERE id = ANY($1) ORDER BY id FOR UPDATE";
/// The runs go on, or end: a run ends in the transaction that ends its last task.
pub(in crate::store::postgres) const SET_RUNS: &str = "\
    UPDATE run SET state = now.state, open_tasks = now.open_tasks, undos = now.undos, arrivals = now.arrivals, \
                   signalled = now.signalled, output = coalesce(now.output, run.output), \
                   failure = coalesce(run.failure, now.failure), finished_at = now.finished_at, \
                   undo_failed = now.undo_failed, lost = now.lost \
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[], $7::bytea[], \
                $8::text[], $9::bigint[], $10::uuid[], $11::boolean[]) \
        AS now (id, state, open_tasks, undos, arrivals, signalled, output, failure, finished_at, undo_failed, lost) \
    WHERE run.id = now.id";
/// What was ready or waited when its run failed, so that it can be again.
pub(in crate::store::postgres) const MARK_STOPPED: &str =
    "UPDATE task SET was = coalesce(wait, state) WHERE id = ANY($1)";
/// What is still to end when a run is cancelled or fails; what undoes its steps is not stopped by that.
pub(in crate::store::postgres) const LIVE_OF_RUN: &str = concat!(
    "SELECT ",
    stop_columns!(),
    " FROM task WHERE run = $1 AND undo IS NULL AND state IN ('waiting', 'ready', 'running', 'parked') \
     ORDER BY id FOR UPDATE"
);
/// Runs whose time is up, held ones too.
pub(in crate::store::postgres) const EXPIRED: &str = "\
    SELECT id FROM run WHERE deadline IS NOT NULL AND finished_at IS NULL AND deadline <= $1 \
    AND state IN ('running', 'paused') ORDER BY deadline";

// Runs that are held.

/// Nothing new of a held run starts. Of what was ready, the bucket.
pub(in crate::store::postgres) const HOLD_TASKS: &str = "\
    WITH held AS MATERIALIZED (SELECT id AS held, CASE WHEN state = 'ready' THEN slot END AS freed FROM task \
                               WHERE run = $1 AND (state = 'ready' OR wait = 'slot') ORDER BY id FOR UPDATE) \
    UPDATE task SET state = 'waiting', wait = 'pause', due = NULL FROM held WHERE id = held RETURNING freed";
/// The same for one task that is ready again.
pub(in crate::store::postgres) const HOLD_TASK: &str = "\
    UPDATE task SET state = 'waiting', wait = 'pause', due = NULL WHERE id = $1 AND state = 'ready' RETURNING slot";
/// What was held is ready when it was to be.
pub(in crate::store::postgres) const RELEASE_TASKS: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = CASE WHEN run_at <= $2 THEN 1 ELSE 0 END, rank = ",
    rank!("run_at"),
    " WHERE ",
    line!(),
    " = $1 AND wait = 'pause'"
);

// Undoing.

/// The newest first, one at a time.
pub(in crate::store::postgres) const NEXT_UNDO: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = CASE WHEN run_at <= $2 THEN 1 ELSE 0 END, rank = ",
    rank!("run_at"),
    " WHERE id = (SELECT id FROM task WHERE ",
    line!(),
    " = $1 AND wait = 'undo' ORDER BY undo DESC LIMIT 1)"
);
/// What a run did that succeeded is not undone.
pub(in crate::store::postgres) const DROP_UNDOS: &str =
    concat!("DELETE FROM task WHERE ", line!(), " = $1 AND wait = 'undo'");
/// Unless it was a step: then the other run undoes it, after what it does later.
pub(in crate::store::postgres) const MOVE_UNDOS: &str =
    concat!("UPDATE task SET run = $2, undo = undo + $3 WHERE ", line!(), " = $1 AND wait = 'undo'");
/// Where a compensation has stopped.
pub(in crate::store::postgres) const UNDO_FAILED: &str =
    "SELECT undo_failed FROM run WHERE id = $1 AND undo_failed IS NOT NULL FOR UPDATE";
/// It goes on there.
pub(in crate::store::postgres) const RESUME_UNDO: &str = concat!(
    "UPDATE task SET state = 'ready', due = 1, run_at = $2, finished_at = NULL, cancel_requested = FALSE, \
                     was = NULL, rank = ",
    rank!("$2::bigint"),
    " WHERE id = $1 AND undo IS NOT NULL AND state IN ('failed', 'cancelled')"
);
/// failed -> compensating.
pub(in crate::store::postgres) const RESUME_COMPENSATION: &str = "\
    UPDATE run SET state = 'compensating', open_tasks = 1, finished_at = NULL, undo_failed = NULL \
    WHERE id = $1 AND state = 'failed'";

// Runs that are steps.

/// The step that waits for the end of a run.
pub(in crate::store::postgres) const WAITING_STEP: &str =
    concat!("SELECT ", stop_columns!(), ", cancel_requested FROM task WHERE id = $1 AND wait = 'run'");
/// It has it, and is ready.
pub(in crate::store::postgres) const GIVE_END: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = 1, run_at = $2, payload = $3, got = 'run', rank = ",
    rank!("$2::bigint"),
    " WHERE id = $1 AND wait = 'run'"
);
/// The run that a step waits for.
pub(in crate::store::postgres) const INNER_RUN: &str = "SELECT id FROM run WHERE step = $1 AND finished_at IS NULL";
/// The step ends when that has ended.
pub(in crate::store::postgres) const CANCEL_STEP: &str =
    "UPDATE task SET cancel_requested = TRUE WHERE id = $1 AND wait = 'run'";
