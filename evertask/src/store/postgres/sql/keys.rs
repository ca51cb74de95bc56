//! Keys: who has them, and what becomes of new work whose key is taken.

/// Which of these tasks and runs were added before.
pub(in crate::store::postgres) const THERE: &str = "\
    SELECT id FROM task WHERE id = ANY($1) UNION ALL SELECT id FROM run WHERE id = ANY($1)";
/// Who has these keys, by their place among those asked for: unique among all work of the name, ended or not.
pub(in crate::store::postgres) const TASK_HOLDERS: &str = "\
    SELECT place, task.id, task.created_at FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (name, key, place) \
    JOIN task ON task.name = asked.name AND md5(task.key) = md5(asked.key) AND task.key IS NOT NULL";
/// The same for runs.
pub(in crate::store::postgres) const RUN_HOLDERS: &str = "\
    SELECT place, run.id, run.created_at FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (name, key, place) \
    JOIN run ON run.workflow = asked.name AND md5(run.key) = md5(asked.key) AND run.key IS NOT NULL";
/// The window of a key is over: the new work has it, even if the old still runs.
pub(in crate::store::postgres) const RELEASE_TASK_KEY: &str =
    "UPDATE task SET key = NULL WHERE id = $1 AND key IS NOT NULL";
/// The same for a run.
pub(in crate::store::postgres) const RELEASE_RUN_KEY: &str =
    "UPDATE run SET key = NULL WHERE id = $1 AND key IS NOT NULL";
/// What was never claimed is replaced, and keeps its id, its place of arrival and its age; one that waits for its turn, or
/// whose run is held, still does. If it was ready, its bucket comes back.
pub(in crate::store::postgres) const REPLACE_TASK: &str = concat!(
    "WITH old AS MATERIALIZED ( \
         SELECT id AS old, CASE WHEN state = 'ready' THEN slot END AS freed FROM task \
         WHERE id = $1 AND run IS NOT DISTINCT FROM $2 AND fence = 0 AND undo IS NULL AND NOT cancel_requested \
         AND (state = 'ready' OR wait IN ('slot', 'turn') OR (wait = 'pause' AND run IS NOT NULL)) FOR UPDATE) \
     UPDATE task SET \
         state = CASE WHEN wait IN ('turn', 'pause') THEN state ELSE 'ready' END, \
         due = CASE WHEN wait IN ('turn', 'pause') THEN NULL WHEN $3 <= $4 THEN 1 ELSE 0 END, \
         wait = CASE WHEN wait IN ('turn', 'pause') THEN wait END, \
         run_at = $3, queue = new.queue, priority = new.priority, payload = $7, correlation = $8, cancel_routed = $9, \
         deadline = $10, own = $11, slot = ",
    bucket!("new.slot"),
    ", slots = $13, rate = ",
    bucket!("new.rate"),
    ", pace = $15, reserved = NULL, name = $16, step = $17, rank = ",
    rank!("$3::bigint", "new"),
    " FROM old, (SELECT $5::text AS queue, $6::smallint AS priority, $12::text AS slot, $14::text AS rate) AS new \
     WHERE id = old RETURNING freed"
);
/// The first task of a run that has no other and was never claimed.
pub(in crate::store::postgres) const FIRST_OF_RUN: &str = "\
    SELECT id FROM task WHERE run = $1 AND fence = 0 AND NOT cancel_requested \
    AND (state = 'ready' OR wait IN ('pause', 'slot')) \
    AND (SELECT count(*) FROM task AS other WHERE other.run = $1) = 1 FOR UPDATE";
/// The run that has not started yet gets another payload.
pub(in crate::store::postgres) const REPLACE_RUN: &str = "\
    UPDATE run SET version = $2, end_routed = $3, deadline = $4, input = $5, output = $6, correlation = $7, \
                   fingerprint = $8 WHERE id = $1";
