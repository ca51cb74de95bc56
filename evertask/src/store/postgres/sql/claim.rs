//! Claiming.

/// When the next task is due, whether anything was put aside, which of these workers are listed, and what was said of
/// these queues: one that was taken for dead must not claim, and none of these can be until this transaction has ended.
pub(in crate::store::postgres) const SURVEY: &str = "\
    SELECT (SELECT run_at FROM task WHERE due = 0 ORDER BY run_at LIMIT 1), \
           EXISTS (SELECT 1 FROM task WHERE due > 1 AND due = 2), \
           ARRAY(SELECT id FROM worker WHERE id = ANY($1) FOR KEY SHARE), \
           ARRAY(SELECT unnest(ARRAY[name, state, rules, spent::text]) FROM queue WHERE name = ANY($2))";
/// A claim takes what is due, by its rank and then by arrival; the index has them in this order. What
/// another node is about to claim is stepped over.
pub(in crate::store::postgres) const CLAIMABLE: &str = concat!(
    "SELECT ",
    claim_columns!(),
    ", reserved FROM task WHERE due = 1 AND queue = $1 ORDER BY rank, seq LIMIT $2 FOR UPDATE SKIP LOCKED"
);
/// The same among what was put aside, of one kind.
pub(in crate::store::postgres) const CLAIMABLE_APART: &str = concat!(
    "SELECT ",
    claim_columns!(),
    ", reserved FROM task WHERE due > 1 AND due = 2 AND queue = $1 AND ",
    kind!(),
    " = $2 ORDER BY rank, seq LIMIT $3 FOR UPDATE SKIP LOCKED"
);
/// A claim has a new fence, and is on disk before its handler starts. These rows are locked.
pub(in crate::store::postgres) const CLAIM: &str = "\
    UPDATE task SET state = 'running', due = NULL, fence = fence + 1, worker = $2, reserved = NULL \
    WHERE id = ANY($1) AND state = 'ready'";
/// Both at once, where nothing was put aside; the CTE is materialized, because else more may be locked than are taken.
pub(in crate::store::postgres) const CLAIM_NEXT: &str = concat!(
    "WITH next AS MATERIALIZED (SELECT id AS next, reserved AS held FROM task WHERE due = 1 AND queue = $1 \
     ORDER BY rank, seq LIMIT $2 FOR UPDATE SKIP LOCKED) \
     UPDATE task SET state = 'running', due = NULL, fence = fence + 1, worker = $3, reserved = NULL \
     FROM next WHERE id = next RETURNING ",
    claim_columns!(),
    ", held"
);
/// The same for tasks that this transaction has added, which follow what the worker has ended.
pub(in crate::store::postgres) const CLAIM_THESE: &str = concat!(
    "UPDATE task SET state = 'running', due = NULL, fence = fence + 1, worker = $2 \
     WHERE id = ANY($1) AND due = 1 AND state = 'ready' RETURNING ",
    claim_columns!(),
    ", reserved"
);
/// What this transaction has claimed and the worker does not know, or has no slot for, was never claimed.
pub(in crate::store::postgres) const UNCLAIM: &str = "\
    UPDATE task SET state = 'ready', due = 1, fence = fence - 1, worker = NULL, reserved = held \
    FROM unnest($1::uuid[], $3::bigint[]) AS back (claimed, held) WHERE id = claimed AND worker = $2";
/// Hand-over does not overtake what has a higher priority and is first.
pub(in crate::store::postgres) const TOP_PRIORITY: &str =
    "SELECT rank, priority FROM task WHERE due = 1 AND queue = $1 ORDER BY rank, seq LIMIT 1";
/// What is due can be claimed: this marks it, so that a claim needs no look at what is not.
pub(in crate::store::postgres) const PROMOTE: &str = "\
    WITH ripe AS MATERIALIZED (SELECT id AS ripe FROM task WHERE due = 0 AND run_at <= $1 AND wait IS NULL \
                               ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED) \
    UPDATE task SET due = 1 FROM ripe WHERE id = ripe";
/// What waits for a signal, and the time is up.
pub(in crate::store::postgres) const UNSIGNALLED: &str = "\
    SELECT id, run FROM task WHERE due = 0 AND run_at <= $1 AND wait IS NOT NULL ORDER BY run_at LIMIT $2";
/// It goes on without one, unless its run is held.
pub(in crate::store::postgres) const GIVE_NOTHING: &str = "\
    UPDATE task SET state = CASE WHEN $2 THEN 'waiting' ELSE 'ready' END, wait = CASE WHEN $2 THEN 'pause' END, \
                    due = CASE WHEN $2 THEN NULL ELSE 1 END, got = 'nothing' \
    WHERE id = $1 AND due = 0 AND wait = 'signal'";
/// When to wake next.
pub(in crate::store::postgres) const NEXT_DUE: &str = "SELECT run_at FROM task WHERE due = 0 ORDER BY run_at LIMIT 1";
/// A task that others know waits for them where this worker need not step over it again.
pub(in crate::store::postgres) const PUT_APART: &str = "UPDATE task SET due = 2 WHERE id = ANY($1) AND due = 1";
/// The kinds that were put aside, one after the other, by a seek each.
pub(in crate::store::postgres) const NEXT_APART: &str = concat!(
    "SELECT ",
    kind!(),
    ", name, workflow, step FROM task WHERE due > 1 AND due = 2 AND queue = $1 AND ",
    kind!(),
    " > $2 ORDER BY ",
    kind!(),
    " LIMIT 1"
);
/// A task that nobody knows is shown, not dropped, and does not spin.
pub(in crate::store::postgres) const PARK_UNKNOWN: &str =
    "UPDATE task SET state = 'parked', due = 3, park_reason = $2, park_detail = $3 WHERE id = $1 AND state = 'ready'";
/// The same for a kind that was put aside for workers that are gone.
pub(in crate::store::postgres) const PARK_APART: &str = concat!(
    "UPDATE task SET state = 'parked', due = 3, park_reason = $3, park_detail = $4 \
     WHERE due > 1 AND due = 2 AND queue = $1 AND ",
    kind!(),
    " = $2 RETURNING slot"
);
