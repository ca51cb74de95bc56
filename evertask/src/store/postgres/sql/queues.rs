//! Queues: what was said of them, how much is in them, and who may take from them or add to them.

/// What was said last holds, for all workers. Where no rules are given, they stay, and so does the state.
pub(in crate::store::postgres) const KEEP_QUEUES: &str = "\
    INSERT INTO queue AS kept (name, state, rules, ageing, depth, spent) \
    SELECT name, coalesce($2::text, 'open'), rules, ageing, depth, -9223372036854775808 \
    FROM unnest($1::text[], $4::text[], $5::bigint[], $6::bigint[]) AS said (name, rules, ageing, depth) ORDER BY name \
    ON CONFLICT (name) DO UPDATE SET \
        state = coalesce($2, kept.state), \
        rules = CASE WHEN $3 THEN excluded.rules ELSE kept.rules END, \
        ageing = CASE WHEN $3 THEN excluded.ageing ELSE kept.ageing END, \
        depth = CASE WHEN $3 THEN excluded.depth ELSE kept.depth END \
    RETURNING state, rules";
/// How much of a queue is due, comes later, and runs.
pub(in crate::store::postgres) const COUNTS_OF: &str = "\
    SELECT (SELECT count(*) FROM task WHERE due = 1 AND queue = $1) \
         + (SELECT count(*) FROM task WHERE due > 1 AND due = 2 AND queue = $1) \
         + (SELECT count(*) FROM task WHERE due = 0 AND run_at <= $2 AND wait IS NULL AND queue = $1), \
           (SELECT count(*) FROM task WHERE due = 0 AND run_at > $2 AND wait IS NULL AND queue = $1), \
           (SELECT count(*) FROM worker JOIN task ON task.worker = worker.id WHERE task.queue = $1)";
/// Every queue of which something was said.
pub(in crate::store::postgres) const QUEUES: &str = "SELECT name, state, rules FROM queue ORDER BY name";
/// The same of each queue with live tasks; of those that wait for anything else only that there are any.
pub(in crate::store::postgres) const COUNTS: &str = "\
    SELECT queue, sum(now)::bigint, sum(later)::bigint, sum(running)::bigint FROM ( \
        SELECT queue, count(*) AS now, 0 AS later, 0 AS running FROM task WHERE due = 1 GROUP BY queue UNION ALL \
        SELECT queue, count(*) FILTER (WHERE due = 2), 0, 0 FROM task WHERE due > 1 GROUP BY queue UNION ALL \
        SELECT queue, count(*) FILTER (WHERE wait IS NULL AND run_at <= $1), \
               count(*) FILTER (WHERE wait IS NULL AND run_at > $1), 0 FROM task WHERE due = 0 GROUP BY queue UNION ALL \
        SELECT queue, 0, 0, count(*) FROM task WHERE worker IS NOT NULL GROUP BY queue UNION ALL \
        SELECT queue, 0, 0, 0 FROM task WHERE wait IS NOT NULL AND wait <> 'undo' GROUP BY queue \
    ) AS live GROUP BY queue";
/// How many of these queues' tasks run, over all workers, and whether anything of them can be claimed.
pub(in crate::store::postgres) const LOADS: &str = "\
    SELECT (SELECT count(*) FROM worker JOIN task ON task.worker = worker.id WHERE task.queue = asked.name), \
           EXISTS (SELECT 1 FROM task WHERE due = 1 AND task.queue = asked.name) \
           OR EXISTS (SELECT 1 FROM task WHERE due > 1 AND due = 2 AND task.queue = asked.name) \
    FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, place) ORDER BY place";
/// Nodes that take from the same queue take turns, in one order.
pub(in crate::store::postgres) const LOCK_QUEUES: &str =
    "SELECT name, state, rules, spent FROM queue WHERE name = ANY($1) ORDER BY name FOR UPDATE";
/// Whoever has taken a turn somewhere waits for none elsewhere.
pub(in crate::store::postgres) const LOCK_FREE_QUEUES: &str =
    "SELECT name, state, rules, spent FROM queue WHERE name = ANY($1) ORDER BY name FOR UPDATE SKIP LOCKED";
/// What was started is paid for by the transaction that claims it.
pub(in crate::store::postgres) const SPEND_OF_QUEUES: &str = "\
    UPDATE queue SET spent = paid FROM unnest($1::text[], $2::bigint[]) AS used (used, paid) WHERE name = used";
/// How many are due in these queues and wait, put aside or not; no more than are asked about.
pub(in crate::store::postgres) const WAITING: &str = "\
    SELECT (SELECT count(*) FROM (\
        SELECT 1 FROM task WHERE due = 1 AND task.queue = asked.name UNION ALL \
        SELECT 1 FROM task WHERE due > 1 AND due = 2 AND task.queue = asked.name UNION ALL \
        SELECT 1 FROM task WHERE due = 0 AND run_at <= $3 AND wait IS NULL AND task.queue = asked.name LIMIT asked.most) AS waiting) \
    FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS asked (name, most, place) ORDER BY place";
