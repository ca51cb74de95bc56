//! Adding work.

/// An id or a key that is taken adds nothing: nothing forks a chain, whatever is repeated.
pub(in crate::store::sqlite) const INSERT_TASK: &str = new_task!("", "");
/// The same for one that waits, has waited, is an item, undoes a step, or has terms: what most tasks do not have
/// takes time.
pub(in crate::store::sqlite) const INSERT_PART: &str = new_task!(
    ", wait, got, undo, item, group_id, deadline, own, slot, slots, rate",
    ", ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29"
);
/// As above, for a run; its first task follows in the same transaction.
pub(in crate::store::sqlite) const INSERT_RUN: &str = "\
    INSERT INTO run (id, workflow, version, state, open_tasks, end_routed, deadline, created_at, input, output, \
                     key, correlation, parent, step, fingerprint) \
    VALUES (?1, ?2, ?3, 'running', 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING";
/// Who has the key: unique among all work of the name, ended or not.
pub(in crate::store::sqlite) const TASK_BY_KEY: &str =
    "SELECT seq, id, created_at FROM task WHERE name = ?1 AND key = ?2";
/// Who has the key.
pub(in crate::store::sqlite) const RUN_BY_KEY: &str =
    "SELECT seq, id, created_at FROM run WHERE workflow = ?1 AND key = ?2";
/// Whether it was added before.
pub(in crate::store::sqlite) const TASK_THERE: &str = "SELECT 1 FROM task WHERE id = ?1";
/// Whether it was added before.
pub(in crate::store::sqlite) const RUN_THERE: &str = "SELECT 1 FROM run WHERE id = ?1";
/// The window of a key is over: the new work has it, even if the old still runs.
pub(in crate::store::sqlite) const RELEASE_TASK_KEY: &str = "UPDATE task SET key = NULL WHERE seq = ?1";
/// The same for a run.
pub(in crate::store::sqlite) const RELEASE_RUN_KEY: &str = "UPDATE run SET key = NULL WHERE seq = ?1";
/// What was never claimed is replaced, and keeps its id, its place of arrival and its age.
pub(in crate::store::sqlite) const REPLACE_TASK: &str = "\
    UPDATE task SET state = iif(wait = 'turn', state, 'ready'), due = iif(wait = 'turn', NULL, ?2), \
                    wait = iif(wait = 'turn', wait, NULL), queue = ?3, priority = ?4, run_at = ?5, rank = ?6, \
                    payload = ?7, correlation = ?8, cancel_routed = ?9, deadline = ?10, own = ?11, slot = ?12, \
                    slots = ?13, rate = ?14, reserved = NULL \
    WHERE seq = ?1 AND run IS NULL AND fence = 0 AND undo IS NULL AND NOT cancel_requested \
    AND (state = 'ready' OR wait = 'slot' OR wait = 'turn')";
/// The bucket in which it was.
pub(in crate::store::sqlite) const SLOT_OF: &str = "SELECT slot FROM task WHERE seq = ?1 AND slot IS NOT NULL";
/// The first task of a run that has no other and was never claimed.
pub(in crate::store::sqlite) const FIRST_OF_RUN: &str = "\
    SELECT seq FROM task WHERE run = ?1 AND fence = 0 AND NOT cancel_requested \
    AND (state = 'ready' OR wait = 'pause' OR wait = 'slot') \
    AND (SELECT count(*) FROM task AS other WHERE other.run = ?1) = 1";
/// It is replaced with its run, which may be of another version.
pub(in crate::store::sqlite) const REPLACE_FIRST: &str = "\
    UPDATE task SET state = iif(wait = 'pause', state, 'ready'), due = iif(wait = 'pause', NULL, ?2), \
                    wait = iif(wait = 'pause', wait, NULL), queue = ?3, priority = ?4, run_at = ?5, rank = ?6, \
                    payload = ?7, correlation = ?8, cancel_routed = ?9, deadline = ?10, own = ?11, slot = ?12, \
                    slots = ?13, rate = ?14, reserved = NULL, name = ?15, step = ?16 \
    WHERE seq = ?1";
/// The run that has not started yet gets another payload.
pub(in crate::store::sqlite) const REPLACE_RUN: &str = "\
    UPDATE run SET version = ?2, end_routed = ?3, deadline = ?4, input = ?5, output = ?6, correlation = ?7, \
                   fingerprint = ?8 WHERE id = ?1 AND (state = 'running' OR state = 'paused')";
/// How often a step has run: a loop ends. One that is there already is not counted again.
pub(in crate::store::sqlite) const VISITS: &str = "\
    SELECT count(*) FROM task WHERE run = ?1 AND step = ?2 AND undo IS NULL \
    AND NOT EXISTS (SELECT 1 FROM task WHERE id = ?3)";
