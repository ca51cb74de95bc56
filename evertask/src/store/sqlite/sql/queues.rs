//! Queues: their state, their rules, and how much is in them.

/// The queues that have a row: few, and read again only when another process has committed.
pub(in crate::store::sqlite) const QUEUES: &str = "SELECT name, state, rules, spent FROM queue ORDER BY name";
/// What was said of a queue last holds, for all workers.
pub(in crate::store::sqlite) const KEEP_QUEUE: &str = "\
    INSERT INTO queue (name, state, rules, ageing, spent) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (name) DO UPDATE SET state = excluded.state, rules = excluded.rules, ageing = excluded.ageing, \
                                     spent = excluded.spent";
/// What was started is paid for by the transaction that claims it; what a slower rate left is forgotten once.
pub(in crate::store::sqlite) const SPEND_OF_QUEUE: &str = "UPDATE queue SET spent = ?2 WHERE name = ?1";
/// How many run, over all workers. It looks at all that run, so it is asked once, and then counted on.
pub(in crate::store::sqlite) const RUNNING_OF: &str =
    "SELECT count(*) FROM task INDEXED BY task_worker WHERE worker IS NOT NULL AND queue = ?1";
/// The queue that a task runs in.
pub(in crate::store::sqlite) const QUEUE_OF: &str = "SELECT queue FROM task WHERE seq = ?1";
/// How many are due and wait: put aside or not.
pub(in crate::store::sqlite) const WAITING_OF: &str = "\
    SELECT (SELECT count(*) FROM task WHERE due = 1 AND queue = ?1) \
         + (SELECT count(*) FROM task WHERE due > 1 AND due = 2 AND queue = ?1)";
/// For each queue with live tasks, how many are due, come later, and run; of other live ones only that there are any.
pub(in crate::store::sqlite) const COUNTS: &str = "\
    SELECT queue, sum(now), sum(later), sum(running) FROM ( \
        SELECT queue, count(*) AS now, 0 AS later, 0 AS running \
        FROM task INDEXED BY task_due WHERE due = 1 GROUP BY queue UNION ALL \
        SELECT queue, sum(due = 2), 0, 0 FROM task INDEXED BY task_aside WHERE due > 1 GROUP BY queue UNION ALL \
        SELECT queue, sum(wait IS NULL AND run_at <= ?1), sum(wait IS NULL AND run_at > ?1), 0 \
        FROM task INDEXED BY task_later WHERE due = 0 GROUP BY queue UNION ALL \
        SELECT queue, 0, 0, 1 FROM task INDEXED BY task_worker WHERE worker IS NOT NULL UNION ALL \
        SELECT queue, 0, 0, 0 FROM task INDEXED BY task_wait WHERE wait IS NOT NULL AND wait <> 'undo' GROUP BY queue \
    ) GROUP BY queue ORDER BY queue";
