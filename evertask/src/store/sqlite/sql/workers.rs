//! The lives of workers.

/// A worker's life begins.
pub(in crate::store::sqlite) const INSERT_WORKER: &str =
    "INSERT INTO worker (id, place, lease, beat, knows) VALUES (?1, ?2, ?3, 0, ?4)";
/// A life ends.
pub(in crate::store::sqlite) const DELETE_WORKER: &str = "DELETE FROM worker WHERE id = ?1";
/// A worker that gave a sign of life since is spared: this re-tests it in the transaction.
pub(in crate::store::sqlite) const DELETE_LAPSED: &str = "DELETE FROM worker WHERE id = ?1 AND beat = ?2";
/// Whether it was taken for dead.
pub(in crate::store::sqlite) const LISTED: &str = "SELECT 1 FROM worker WHERE id = ?1";
/// One sign of life keeps all claims.
pub(in crate::store::sqlite) const BEAT: &str = "UPDATE worker SET beat = beat + 1 WHERE id = ?1";
/// What its holder is to stop.
pub(in crate::store::sqlite) const TO_STOP: &str = "SELECT id, fence FROM task WHERE worker = ?1 AND cancel_requested";
/// What a worker still holds.
pub(in crate::store::sqlite) const HELD_BY: &str = "\
    SELECT seq, id, fence, run, name, failures, group_id, undo IS NOT NULL, slot IS NOT NULL, crashes \
    FROM task WHERE worker = ?1";
/// Who lives.
pub(in crate::store::sqlite) const WORKERS: &str = "SELECT id, place, beat, lease FROM worker ORDER BY id";
/// What the living know.
pub(in crate::store::sqlite) const KNOWLEDGE: &str = "SELECT knows FROM worker";
/// What waits for a worker that knows it.
pub(in crate::store::sqlite) const PARKED: &str =
    "SELECT seq, name, workflow, step FROM task WHERE due > 1 AND due = 3";
/// parked -> ready, once for each worker that starts.
pub(in crate::store::sqlite) const UNPARK: &str = concat!(
    "UPDATE task SET state = 'ready', due = 1, run_at = ?2, park_reason = NULL, park_detail = NULL, rank = ",
    rank!("?2"),
    " WHERE seq = ?1 AND state = 'parked'"
);
