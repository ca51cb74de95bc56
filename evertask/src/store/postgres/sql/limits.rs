//! Limits that tasks share by buckets: so many at once, or in a time. Whoever starts a task of a bucket, or frees a slot
//! of it, has the bucket's row: nodes take turns.

/// Nodes that are at the same buckets take turns, in one order.
pub(in crate::store::postgres) const LOCK_BUCKETS: &str =
    "SELECT name, spent, started FROM bucket WHERE name = ANY($1) ORDER BY name FOR UPDATE";
/// Whoever has taken a turn somewhere waits for none elsewhere.
pub(in crate::store::postgres) const LOCK_FREE_BUCKETS: &str =
    "SELECT name, spent, started FROM bucket WHERE name = ANY($1) ORDER BY name FOR UPDATE SKIP LOCKED";
/// A bucket is there when it is first used, and again after it was forgotten.
pub(in crate::store::postgres) const INSERT_BUCKETS: &str = "\
    INSERT INTO bucket (name, spent, started) SELECT name, -9223372036854775808, -9223372036854775808 \
    FROM unnest($1::text[]) AS new (name) ORDER BY name ON CONFLICT DO NOTHING RETURNING name, spent, started";
/// What has its time is paid for, and so is what has started.
pub(in crate::store::postgres) const SPEND: &str = "\
    UPDATE bucket SET spent = given, started = begun \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS used (used, given, begun) WHERE name = used";
/// How many of these buckets run.
pub(in crate::store::postgres) const SLOTS_TAKEN: &str = "\
    SELECT (SELECT count(*) FROM task WHERE slot = asked.name AND state = 'running' AND finished_at IS NULL) \
    FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, place) ORDER BY place";
/// The buckets in which these tasks have a slot, or had.
pub(in crate::store::postgres) const SLOTS_OF: &str =
    "SELECT DISTINCT slot FROM task WHERE id = ANY($1) AND slot IS NOT NULL";
/// What this transaction has claimed waits, and was never claimed: as many of its bucket run as may.
pub(in crate::store::postgres) const WAIT_FOR_SLOT: &str = "\
    UPDATE task SET state = 'waiting', wait = 'slot', due = NULL, fence = fence - 1, worker = NULL, reserved = held \
    FROM unnest($1::uuid[], $3::bigint[]) AS back (claimed, held) WHERE id = claimed AND worker = $2";
/// The same for what is ready when it asks again, and keeps the time that nobody else is given; nothing is counted for
/// that.
pub(in crate::store::postgres) const PUT_OFF: &str = concat!(
    "UPDATE task SET state = 'ready', due = 0, run_at = later, fence = fence - 1, worker = NULL, reserved = held, \
                     rank = ",
    rank!("later"),
    " FROM unnest($1::uuid[], $3::bigint[], $4::bigint[]) AS off (claimed, held, later) WHERE id = claimed AND worker = $2"
);
/// Whoever waits for a slot of these buckets and is first in its queue is ready, if there is a slot: a queue that nobody
/// serves does not keep it from the others. The queues are found by a seek each. One that somebody is about to take away
/// is stepped over; that is said. Whether a slot is free is asked again at a claim.
pub(in crate::store::postgres) const GIVE_SLOTS: &str = concat!(
    "WITH RECURSIVE line (bucket, queue) AS ( \
         SELECT freed.name, (SELECT task.queue FROM task WHERE wait = 'slot' AND slot = freed.name ORDER BY task.queue LIMIT 1) \
         FROM unnest($1::text[]) AS freed (name) \
       UNION ALL \
         SELECT bucket, (SELECT task.queue FROM task WHERE wait = 'slot' AND slot = bucket AND task.queue > line.queue \
                         ORDER BY task.queue LIMIT 1) \
         FROM line WHERE queue IS NOT NULL), \
     first AS MATERIALIZED ( \
         SELECT bucket, next.id, next.slots FROM line LEFT JOIN LATERAL ( \
             SELECT id, slots FROM task WHERE wait = 'slot' AND slot = bucket AND task.queue = line.queue \
             ORDER BY task.rank, task.seq LIMIT 1 FOR UPDATE SKIP LOCKED) AS next ON TRUE \
         WHERE line.queue IS NOT NULL), \
     given AS ( \
         UPDATE task SET state = 'ready', wait = NULL, due = CASE WHEN run_at <= $2 THEN 1 ELSE 0 END, rank = ",
    rank!("run_at"),
    " FROM first WHERE task.id = first.id AND first.slots > ( \
             SELECT count(*) FROM task AS busy WHERE busy.slot = bucket AND busy.state = 'running' \
             AND busy.finished_at IS NULL) RETURNING task.id) \
     SELECT first.bucket, first.id IS NULL, given.id IS NOT NULL FROM first LEFT JOIN given ON given.id = first.id"
);
/// Nobody of the bucket runs or is ready, so that whoever waits must not be stepped over: this waits for whoever is
/// about to take it away.
pub(in crate::store::postgres) const STRANDED: &str = "\
    SELECT id FROM task WHERE wait = 'slot' AND slot = $1 AND NOT EXISTS ( \
        SELECT 1 FROM task AS busy WHERE busy.slot = $1 AND busy.state IN ('running', 'ready') \
        AND busy.finished_at IS NULL) ORDER BY queue, rank, seq LIMIT 1 FOR UPDATE";
/// Buckets of which nothing is spent are as good as new ones.
pub(in crate::store::postgres) const FORGET_BUCKETS: &str = "\
    WITH unspent AS MATERIALIZED \
        (SELECT name AS old FROM bucket WHERE spent <= $1 AND name <> ALL($3) ORDER BY name LIMIT $2 \
         FOR UPDATE SKIP LOCKED) \
    DELETE FROM bucket USING unspent WHERE name = old";
