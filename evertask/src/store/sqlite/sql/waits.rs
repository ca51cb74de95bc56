//! What waits: for a signal, for its turn, or for the other members of a join.

// Signals.

/// The first that waits for the signal, and whose time is not up.
pub(in crate::store::sqlite) const WAITS_FOR_SIGNAL: &str = concat!(
    "SELECT seq FROM task WHERE ",
    line!(),
    " = ?1 AND wait = 'signal' AND ",
    place!(),
    " = ?2 AND run_at > ?3 ORDER BY seq LIMIT 1"
);
/// It has it, and is ready.
pub(in crate::store::sqlite) const GIVE_SIGNAL: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = 1, run_at = ?2, payload = ?3, got = 'signal', rank = ",
    rank!("?2"),
    " WHERE seq = ?1 AND wait = 'signal'"
);
/// A signal that nobody waits for yet is kept; the second is not.
pub(in crate::store::sqlite) const KEEP_SIGNAL: &str =
    "INSERT INTO signal (run, step, value) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
/// It came before, and was used or not.
pub(in crate::store::sqlite) const SIGNAL_THERE: &str = "SELECT 1 FROM signal WHERE run = ?1 AND step = ?2";
/// A signal that came early.
pub(in crate::store::sqlite) const KEPT_SIGNAL: &str =
    "SELECT value FROM signal WHERE run = ?1 AND step = ?2 AND value IS NOT NULL";
/// All that came early.
pub(in crate::store::sqlite) const KEPT_SIGNALS: &str =
    "SELECT step, value FROM signal WHERE run = ?1 AND value IS NOT NULL";
/// A run that has ended takes none.
pub(in crate::store::sqlite) const CLEAR_SIGNALS: &str = "DELETE FROM signal WHERE run = ?1";
/// A signal is used once.
pub(in crate::store::sqlite) const USE_SIGNAL: &str = "\
    INSERT INTO signal (run, step, value) VALUES (?1, ?2, NULL) ON CONFLICT (run, step) DO UPDATE SET value = NULL";

// Groups and joins.

/// A group that lives is not added to.
pub(in crate::store::sqlite) const GROUP_THERE: &str = "SELECT 1 FROM each WHERE id = ?1";
/// The tasks of an `each` are counted, so that it is known when the last has ended.
pub(in crate::store::sqlite) const OPEN_GROUP: &str =
    "INSERT INTO each (id, open, waiting, most, run) VALUES (?1, ?2, ?3, ?4, ?5)";
/// So many tasks of it have ended, or wait for their turn no more.
pub(in crate::store::sqlite) const LEAVE_GROUP: &str =
    "UPDATE each SET open = open - ?2, waiting = waiting - ?3 WHERE id = ?1 RETURNING open, waiting, most";
/// Its last task has ended. Of a run, it stays: a task of it may live again, if the run fails.
pub(in crate::store::sqlite) const CLOSE_GROUP: &str = "DELETE FROM each WHERE id = ?1 AND run IS NULL";
/// A run that has ended well, or was cancelled, is not gone on with.
pub(in crate::store::sqlite) const CLEAR_GROUPS: &str = "DELETE FROM each WHERE run = ?1";
/// The next in the order of the items is ready.
pub(in crate::store::sqlite) const TURN: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = iif(run_at <= ?2, 1, 0), rank = ",
    rank!("run_at"),
    " WHERE seq = (SELECT seq FROM task WHERE ",
    line!(),
    " = ?1 AND wait = 'turn' AND ",
    place!(),
    " IS NULL ORDER BY seq LIMIT 1) RETURNING seq"
);
/// A member has arrived: once in each round.
pub(in crate::store::sqlite) const ARRIVE: &str =
    "INSERT INTO arrival (run, name, member, group_id) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
/// It arrives again before the others do: what it did last counts.
pub(in crate::store::sqlite) const ARRIVE_AGAIN: &str =
    "UPDATE arrival SET group_id = ?4 WHERE run = ?1 AND name = ?2 AND member = ?3";
/// The join has a new name; who arrived under the old one, and not under the new one too, is kept.
pub(in crate::store::sqlite) const RENAME_JOIN: &str =
    "UPDATE OR IGNORE arrival SET name = ?2 WHERE run = ?1 AND name = ?3";
/// Who has arrived.
pub(in crate::store::sqlite) const ARRIVED: &str = "SELECT member, group_id FROM arrival WHERE run = ?1 AND name = ?2";
/// The round is over: the joined task is added by this transaction.
pub(in crate::store::sqlite) const CLEAR_JOIN: &str = "DELETE FROM arrival WHERE run = ?1 AND name = ?2";
/// A run that has ended waits for nobody.
pub(in crate::store::sqlite) const CLEAR_ARRIVALS: &str = "DELETE FROM arrival WHERE run = ?1";
/// A join that is not complete, of those that somebody has arrived at.
pub(in crate::store::sqlite) const INCOMPLETE: &str = "SELECT name FROM arrival WHERE run = ?1 ORDER BY name LIMIT 1";
/// What a step came to when it last succeeded.
pub(in crate::store::sqlite) const LAST_SUCCEEDED: &str = concat!(
    "SELECT ",
    outcome_columns!(),
    " FROM task WHERE run = ?1 AND step = ?2 AND undo IS NULL AND state = 'succeeded' ORDER BY seq DESC LIMIT 1"
);
/// What it came to last.
pub(in crate::store::sqlite) const LAST_ENDED: &str = concat!(
    "SELECT ",
    outcome_columns!(),
    " FROM task WHERE run = ?1 AND step = ?2 AND undo IS NULL AND finished_at IS NOT NULL ORDER BY seq DESC LIMIT 1"
);
/// What the items of an `each` came to, in their order.
pub(in crate::store::sqlite) const OF_GROUP: &str =
    concat!("SELECT ", outcome_columns!(), " FROM task WHERE run = ?1 AND step = ?2 AND group_id = ?3 ORDER BY item");
