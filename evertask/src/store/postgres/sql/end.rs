//! Ending attempts: each is guarded by the fence, and by nothing that has to do with time.

/// The claims that still hold, as they are stored.
pub(in crate::store::postgres) const HELD: &str = "\
    SELECT id, fence, run, group_id, undo IS NOT NULL, slot IS NOT NULL FROM unnest($1::uuid[], $2::bigint[]) AS claim (task, token) \
    JOIN task ON id = task AND fence = token WHERE state = 'running'";
/// running -> succeeded, for all of a batch. They come sorted, and are locked in this order.
pub(in crate::store::postgres) const SUCCEED: &str = "\
    UPDATE task SET state = 'succeeded', worker = NULL, output = json, finished_at = $4 \
    FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS claim (holder, token, json) \
    WHERE id = holder AND fence = token AND state = 'running' RETURNING id, fence";
/// running -> failed; counts the failure.
pub(in crate::store::postgres) const FAIL: &str = "\
    UPDATE task SET state = 'failed', worker = NULL, failures = failures + 1, failure = $3, error = $4, \
                    finished_at = $5, was = CASE WHEN $6 THEN 'followed' ELSE was END \
    WHERE id = $1 AND fence = $2 AND state = 'running'";
/// running -> cancelled.
pub(in crate::store::postgres) const END_CANCELLED: &str = "\
    UPDATE task SET state = 'cancelled', worker = NULL, finished_at = $3 \
    WHERE id = $1 AND fence = $2 AND state = 'running'";
/// running -> ready. A cancel that was asked for is not forgotten: such a task ends, or is due now if a
/// worker has to end it. Counters never go down.
pub(in crate::store::postgres) const PUT_BACK: &str = concat!(
    "UPDATE task SET \
        state = CASE WHEN cancel_requested AND NOT cancel_routed THEN 'cancelled' ELSE 'ready' END, \
        due = CASE WHEN NOT cancel_requested THEN $4 WHEN cancel_routed THEN 1 END, \
        run_at = CASE WHEN NOT cancel_requested THEN $3 WHEN cancel_routed THEN $5 ELSE run_at END, \
        rank = ",
    rank!("CASE WHEN cancel_requested THEN $5::bigint ELSE $3::bigint END"),
    ", finished_at = CASE WHEN cancel_requested AND NOT cancel_routed THEN $5 END, \
        worker = NULL, failures = failures + $6, crashes = crashes + $7, interrupts = interrupts + $8, \
        failure = coalesce($9, failure) \
    WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING state"
);
/// running -> parked; one whose cancel was asked for, and that no worker has to end, ends instead.
pub(in crate::store::postgres) const PARK: &str = "\
    UPDATE task SET \
        state = CASE WHEN cancel_requested AND NOT cancel_routed THEN 'cancelled' ELSE 'parked' END, \
        due = CASE WHEN cancel_requested AND NOT cancel_routed THEN NULL ELSE 3 END, \
        finished_at = CASE WHEN cancel_requested AND NOT cancel_routed THEN $5 END, \
        park_reason = CASE WHEN cancel_requested AND NOT cancel_routed THEN NULL ELSE $3 END, \
        park_detail = CASE WHEN cancel_requested AND NOT cancel_routed THEN NULL ELSE $4 END, worker = NULL \
    WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING state";
/// The evidence of an attempt that did not succeed.
pub(in crate::store::postgres) const INSERT_ATTEMPT: &str =
    "INSERT INTO attempt (task, fence, at, report) VALUES ($1, $2, $3, $4)";
/// Whether a claim still holds; it does until this transaction has ended.
pub(in crate::store::postgres) const STILL_HELD: &str =
    "SELECT 1 FROM task WHERE id = $1 AND fence = $2 AND state = 'running' FOR NO KEY UPDATE";
/// Progress, of a claim that holds.
pub(in crate::store::postgres) const PROGRESS: &str =
    "UPDATE task SET progress_done = $2, progress_total = $3 WHERE id = $1";
/// How many lines a task has.
pub(in crate::store::postgres) const LAST_LINE: &str = "SELECT max(line) FROM log WHERE task = $1";
/// The lines; one past the last is kept once.
pub(in crate::store::postgres) const INSERT_LINES: &str = "\
    INSERT INTO log (task, line, at, fence, text) \
    SELECT $1, line, at, fence, text FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[]) \
        AS new (line, at, fence, text) ON CONFLICT DO NOTHING";
