//! Ending attempts: each is guarded by the fence, and by nothing that has to do with time.

/// The claim, if it still holds. `seq` is what the store remembers of it.
pub(in crate::store::sqlite) const HELD: &str = "SELECT seq, run, group_id, undo IS NOT NULL, slot IS NOT NULL FROM task WHERE id = ?1 AND fence = ?2 AND state = 'running'";
/// running -> succeeded.
pub(in crate::store::sqlite) const SUCCEED: &str = "\
    UPDATE task SET state = 'succeeded', worker = NULL, output = ?4, finished_at = ?5 \
    WHERE seq = ?1 AND id = ?2 AND fence = ?3 AND state = 'running'";
/// running -> failed; counts the failure.
pub(in crate::store::sqlite) const FAIL: &str = "\
    UPDATE task SET state = 'failed', worker = NULL, failures = failures + 1, failure = ?4, error = ?5, finished_at = ?6, \
                    was = coalesce(?7, was) \
    WHERE seq = ?1 AND id = ?2 AND fence = ?3 AND state = 'running'";
/// running -> cancelled.
pub(in crate::store::sqlite) const END_CANCELLED: &str = "\
    UPDATE task SET state = 'cancelled', worker = NULL, finished_at = ?4 \
    WHERE seq = ?1 AND id = ?2 AND fence = ?3 AND state = 'running'";
/// running -> ready. A cancel that was asked for is not forgotten: such a task ends, or is due now if a
/// worker has to end it. Counters never go down.
pub(in crate::store::sqlite) const PUT_BACK: &str = concat!(
    "UPDATE task SET \
        state = iif(cancel_requested AND NOT cancel_routed, 'cancelled', 'ready'), \
        due = iif(cancel_requested, iif(cancel_routed, 1, NULL), ?5), \
        run_at = iif(cancel_requested, iif(cancel_routed, ?6, run_at), ?4), \
        rank = ",
    rank!("iif(cancel_requested, ?6, ?4)"),
    ", finished_at = iif(cancel_requested AND NOT cancel_routed, ?6, NULL), \
        worker = NULL, failures = failures + ?7, crashes = crashes + ?8, interrupts = interrupts + ?9, \
        failure = coalesce(?10, failure) \
    WHERE seq = ?1 AND id = ?2 AND fence = ?3 AND state = 'running' RETURNING state"
);
/// running -> parked; one whose cancel was asked for, and that no worker has to end, ends instead.
pub(in crate::store::sqlite) const PARK: &str = "\
    UPDATE task SET \
        state = iif(cancel_requested AND NOT cancel_routed, 'cancelled', 'parked'), \
        due = iif(cancel_requested AND NOT cancel_routed, NULL, 3), \
        finished_at = iif(cancel_requested AND NOT cancel_routed, ?6, NULL), \
        park_reason = iif(cancel_requested AND NOT cancel_routed, NULL, ?4), \
        park_detail = iif(cancel_requested AND NOT cancel_routed, NULL, ?5), worker = NULL \
    WHERE seq = ?1 AND id = ?2 AND fence = ?3 AND state = 'running' RETURNING state";
/// The evidence of an attempt that did not succeed.
pub(in crate::store::sqlite) const INSERT_ATTEMPT: &str =
    "INSERT INTO attempt (task, fence, at, report) VALUES (?1, ?2, ?3, ?4)";
/// Progress, of a claim that holds.
pub(in crate::store::sqlite) const PROGRESS: &str =
    "UPDATE task SET progress_done = ?2, progress_total = ?3 WHERE seq = ?1";
/// How many lines a task has.
pub(in crate::store::sqlite) const LAST_LINE: &str = "SELECT max(line) FROM log WHERE task = ?1";
/// A line; one past the last is kept once.
pub(in crate::store::sqlite) const INSERT_LINE: &str =
    "INSERT INTO log (task, line, at, fence, text) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
