//! What has failed is tried again, or removed.

/// A task that is to be tried again.
pub(in crate::store::sqlite) const LETTER: &str =
    "SELECT seq, state, was IS 'followed', run, group_id FROM task WHERE id = ?1";
/// What decides whether its run can go on.
pub(in crate::store::sqlite) const RUN_FACTS: &str = "\
    SELECT state, end_routed, step IS NOT NULL, lost, \
           EXISTS (SELECT 1 FROM task WHERE task.run = run.id AND undo IS NOT NULL \
                   AND (fence > 0 OR task.state = 'ready' OR task.state = 'running')) \
    FROM run WHERE id = ?1";
/// Something was left out while the run stopped that can't be taken up again.
pub(in crate::store::sqlite) const LOSE: &str = "UPDATE run SET lost = 1 WHERE id = ?1";
/// failed -> ready, with its attempts behind it and none counted.
pub(in crate::store::sqlite) const REVIVE: &str = concat!(
    "UPDATE task SET state = 'ready', due = 1, run_at = ?2, failures = 0, crashes = 0, deadline = NULL, \
                     finished_at = NULL, cancel_requested = 0, error = NULL, was = NULL, reserved = NULL, \
                     rank = ",
    rank!("?2"),
    " WHERE seq = ?1 AND state = 'failed'"
);
/// It has another payload, and the limits of that.
pub(in crate::store::sqlite) const EDIT: &str =
    "UPDATE task SET payload = ?2, slot = ?3, slots = ?4, rate = ?5 WHERE seq = ?1 AND state = 'ready'";
/// What the run's failure has stopped is ready again, or waits again.
pub(in crate::store::sqlite) const TAKE_UP: &str = concat!(
    "UPDATE task SET state = iif(was = 'signal' OR was = 'turn', 'waiting', 'ready'), \
                     wait = iif(was = 'signal' OR was = 'turn', was, NULL), \
                     due = CASE was WHEN 'turn' THEN NULL WHEN 'signal' THEN iif(run_at = ?3, NULL, 0) \
                                    ELSE iif(run_at <= ?2, 1, 0) END, \
                     finished_at = NULL, cancel_requested = 0, was = NULL, error = NULL, deadline = NULL, \
                     failures = iif(state = 'failed', 0, failures), crashes = iif(state = 'failed', 0, crashes), \
                     rank = ",
    rank!("run_at"),
    " WHERE run = ?1 AND (state = 'cancelled' OR state = 'failed') AND was IS NOT NULL AND was <> 'followed' RETURNING group_id, wait IS 'turn'"
);
/// failed -> running.
pub(in crate::store::sqlite) const REVIVE_RUN: &str = "\
    UPDATE run SET state = 'running', open_tasks = ?2, finished_at = NULL, failure = NULL, undo_failed = NULL, \
                   deadline = iif(deadline <= ?3, NULL, deadline) \
    WHERE id = ?1 AND state = 'failed'";
/// An item lives again.
pub(in crate::store::sqlite) const ENTER_GROUP: &str = "\
    INSERT INTO each (id, open, waiting, most, run) VALUES (?1, 1, 0, NULL, NULL) \
    ON CONFLICT (id) DO UPDATE SET open = open + 1, waiting = waiting + ?2";
/// How many items more are ready or run than may.
pub(in crate::store::sqlite) const TOO_MANY_OF_GROUP: &str =
    "SELECT max(open - waiting - most, 0) FROM each WHERE id = ?1 AND most IS NOT NULL";
/// The last of those that are ready wait for their turn again.
pub(in crate::store::sqlite) const TAKE_TURNS: &str = "\
    UPDATE task SET state = 'waiting', wait = 'turn', due = NULL WHERE seq IN \
    (SELECT seq FROM task WHERE run = ?1 AND group_id = ?2 AND state = 'ready' ORDER BY seq DESC LIMIT ?3)";
/// They are counted so.
pub(in crate::store::sqlite) const ADD_WAITING: &str = "UPDATE each SET waiting = waiting + ?2 WHERE id = ?1";
/// A task outside of runs goes, if it has ended or is parked.
pub(in crate::store::sqlite) const DISCARD_TASK: &str = "\
    DELETE FROM task WHERE id = ?1 AND run IS NULL AND (finished_at IS NOT NULL OR state = 'parked') \
    RETURNING group_id, state = 'parked'";
/// Whether a run may go.
pub(in crate::store::sqlite) const RUN_ENDED: &str = "SELECT 1 FROM run WHERE id = ?1 AND finished_at IS NOT NULL";
