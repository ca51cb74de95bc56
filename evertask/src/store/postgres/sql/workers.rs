//! Workers.

/// A worker's life begins.
pub(in crate::store::postgres) const INSERT_WORKER: &str =
    "INSERT INTO worker (id, place, lease, beat, knows) VALUES ($1, $2, $3, 0, $4)";
/// A life ends.
pub(in crate::store::postgres) const DELETE_WORKER: &str = "DELETE FROM worker WHERE id = $1";
/// A worker that gave a sign of life since is spared: this re-tests it in the transaction.
pub(in crate::store::postgres) const DELETE_LAPSED: &str = "DELETE FROM worker WHERE id = $1 AND beat = $2";
/// One sign of life keeps all claims.
pub(in crate::store::postgres) const BEAT: &str = "UPDATE worker SET beat = beat + 1 WHERE id = $1";
/// What its holder is to stop.
pub(in crate::store::postgres) const TO_STOP: &str =
    "SELECT id, fence FROM task WHERE worker = $1 AND cancel_requested";
/// What a worker still holds.
pub(in crate::store::postgres) const HELD_BY: &str = "\
    SELECT id, fence, run, name, failures, group_id, undo IS NOT NULL, crashes, slot IS NOT NULL \
    FROM task WHERE worker = $1 ORDER BY id";
/// Who lives.
pub(in crate::store::postgres) const WORKERS: &str = "SELECT id, place, beat, lease FROM worker ORDER BY id";
/// When the first run's time is up, of those that live, and when the first slot of a schedule comes, or came.
pub(in crate::store::postgres) const NEXT_TIMES: &str = "\
    SELECT (SELECT min(deadline) FROM run \
            WHERE deadline IS NOT NULL AND finished_at IS NULL AND state IN ('running', 'paused')), \
           (SELECT min(next) FROM schedule WHERE next IS NOT NULL AND NOT paused)";
/// What the living know.
pub(in crate::store::postgres) const KNOWLEDGE: &str = "SELECT knows FROM worker";
/// What waits for a worker that knows it.
pub(in crate::store::postgres) const PARKED: &str =
    "SELECT id, name, workflow, step, run FROM task WHERE due > 1 AND due = 3";
/// parked -> ready, once for each worker that starts.
pub(in crate::store::postgres) const UNPARK: &str = concat!(
    "UPDATE task SET state = 'ready', due = 1, run_at = $2, park_reason = NULL, park_detail = NULL, rank = ",
    rank!("$2::bigint"),
    " WHERE id = $1 AND state = 'parked'"
);
