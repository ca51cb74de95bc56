//! What waits: for a signal, for its turn, or for the other members of a join.

// Signals.

/// The first that waits for the signal, and whose time is not up.
pub(in crate::store::postgres) const WAITS_FOR_SIGNAL: &str = concat!(
    "SELECT id FROM task WHERE ",
    line!(),
    " = $1 AND wait = 'signal' AND step = ANY ($2) AND run_at > $3 ORDER BY seq LIMIT 1"
);
/// It has it, and is ready.
pub(in crate::store::postgres) const GIVE_SIGNAL: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = 1, run_at = $2, payload = $3, got = 'signal', rank = ",
    rank!("$2::bigint"),
    " WHERE id = $1 AND wait = 'signal'"
);
/// A signal that nobody waits for yet is kept; the second is not.
pub(in crate::store::postgres) const KEEP_SIGNAL: &str =
    "INSERT INTO signal (run, step, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
/// It came before, and was used or not.
pub(in crate::store::postgres) const SIGNAL_THERE: &str =
    "SELECT 1 FROM signal WHERE run = $1 AND step = ANY ($2) LIMIT 1";
/// A signal that came early, by the name of its step today before those that it had.
pub(in crate::store::postgres) const KEPT_SIGNAL: &str = "\
    SELECT step, value FROM signal WHERE run = $1 AND step = ANY ($2) AND value IS NOT NULL \
    ORDER BY array_position($2, step) LIMIT 1";
/// A run that has ended takes none.
pub(in crate::store::postgres) const CLEAR_SIGNALS: &str = "DELETE FROM signal WHERE run = $1";
/// A signal is used once.
pub(in crate::store::postgres) const USE_SIGNAL: &str = "\
    INSERT INTO signal (run, step, value) VALUES ($1, $2, NULL) ON CONFLICT (run, step) DO UPDATE SET value = NULL";

// Groups and joins.

/// A group that lives is not added to.
pub(in crate::store::postgres) const GROUP_THERE: &str = "SELECT 1 FROM each WHERE id = $1";
/// The tasks of an `each` are counted, so that it is known when the last has ended.
pub(in crate::store::postgres) const OPEN_GROUP: &str =
    "INSERT INTO each (id, open, waiting, most, run) VALUES ($1, $2, $3, $4, $5)";
/// So many tasks of it have ended, or wait for their turn no more.
pub(in crate::store::postgres) const LEAVE_GROUP: &str =
    "UPDATE each SET open = open - $2, waiting = waiting - $3 WHERE id = $1 RETURNING open, waiting, most, run IS NULL";
/// Its last task has ended. Of a run, it stays: a task of it may live again, if the run fails.
pub(in crate::store::postgres) const CLOSE_GROUP: &str = "DELETE FROM each WHERE id = $1";
/// The next in the order of the items is ready.
pub(in crate::store::postgres) const TURN: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = CASE WHEN run_at <= $2 THEN 1 ELSE 0 END, rank = ",
    rank!("run_at"),
    " WHERE id = (SELECT id FROM task WHERE ",
    line!(),
    " = $1 AND wait = 'turn' AND undo IS NULL ORDER BY seq LIMIT 1) RETURNING id, run"
);
/// A member has arrived: once in each round.
pub(in crate::store::postgres) const ARRIVE: &str =
    "INSERT INTO arrival (run, name, member, group_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
/// It arrives again before the others do: what it did last counts.
pub(in crate::store::postgres) const ARRIVE_AGAIN: &str =
    "UPDATE arrival SET group_id = $4 WHERE run = $1 AND name = $2 AND member = $3";
/// The join has a new name; who arrived under the old one, and not under the new one too, is kept.
pub(in crate::store::postgres) const RENAME_JOIN: &str = "\
    UPDATE arrival AS old SET name = $2 WHERE run = $1 AND name = $3 \
    AND NOT EXISTS (SELECT 1 FROM arrival AS new WHERE new.run = $1 AND new.name = $2 AND new.member = old.member)";
/// Who has arrived.
pub(in crate::store::postgres) const ARRIVED: &str =
    "SELECT member, group_id FROM arrival WHERE run = $1 AND name = $2";
/// The round is over: the joined task is added by this transaction.
pub(in crate::store::postgres) const CLEAR_JOIN: &str = "DELETE FROM arrival WHERE run = $1 AND name = $2";
/// A run that has ended waits for nobody.
pub(in crate::store::postgres) const CLEAR_ARRIVALS: &str = "DELETE FROM arrival WHERE run = $1";
/// A join that is not complete, of those that somebody has arrived at.
pub(in crate::store::postgres) const INCOMPLETE: &str =
    "SELECT name FROM arrival WHERE run = $1 ORDER BY name COLLATE \"C\" LIMIT 1";
/// What a step came to when it last succeeded.
pub(in crate::store::postgres) const LAST_SUCCEEDED: &str = concat!(
    "SELECT ",
    outcome_columns!(),
    " FROM task WHERE run = $1 AND step = $2 AND undo IS NULL AND state = 'succeeded' ORDER BY seq DESC LIMIT 1"
);
/// What it came to last.
pub(in crate::store::postgres) const LAST_ENDED: &str = concat!(
    "SELECT ",
    outcome_columns!(),
    " FROM task WHERE run = $1 AND step = $2 AND undo IS NULL AND finished_at IS NOT NULL ORDER BY seq DESC LIMIT 1"
);
/// What the items of an `each` came to, in their order.
pub(in crate::store::postgres) const OF_GROUP: &str =
    concat!("SELECT ", outcome_columns!(), " FROM task WHERE run = $1 AND step = $2 AND group_id = $3 ORDER BY item");
