//! Claiming.

/// A claim takes what is due, by its rank and then by arrival; the index has them in this order.
pub(in crate::store::sqlite) const CLAIMABLE: &str =
    concat!("SELECT ", claim_columns!(), " FROM task WHERE due = 1 AND queue = ?1 ORDER BY rank, seq LIMIT ?2");
/// The same among what was put aside, of one kind.
pub(in crate::store::sqlite) const CLAIMABLE_APART: &str = concat!(
    "SELECT ",
    claim_columns!(),
    " FROM task WHERE due > 1 AND due = 2 AND queue = ?1 AND ",
    kind!(),
    " = ?2 ORDER BY rank, seq LIMIT ?3"
);
/// A claim has a new fence, and is on disk before its handler starts.
pub(in crate::store::sqlite) const CLAIM: &str =
    "UPDATE task SET state = 'running', due = NULL, fence = fence + 1, worker = ?2 WHERE seq = ?1 AND state = 'ready'";
/// Hand-over does not overtake what has a higher priority and is first.
pub(in crate::store::sqlite) const TOP_PRIORITY: &str =
    "SELECT priority FROM task WHERE due = 1 AND queue = ?1 ORDER BY rank, seq LIMIT 1";
/// What is due can be claimed: this marks it, so that a claim needs no look at what is not. Of what waits for a
/// signal, the time is up: it goes on without one, unless its run is held.
pub(in crate::store::sqlite) const PROMOTE: &str = concat!(
    "UPDATE task SET state = iif(",
    held!(),
    ", 'waiting', 'ready'), wait = iif(",
    held!(),
    ", 'pause', NULL), due = iif(",
    held!(),
    ", NULL, 1), got = iif(wait IS NULL, got, 'nothing') \
     WHERE seq IN (SELECT seq FROM task WHERE due = 0 AND run_at <= ?1 ORDER BY run_at LIMIT ?2)"
);
/// When to wake next.
pub(in crate::store::sqlite) const NEXT_DUE: &str = "SELECT run_at FROM task WHERE due = 0 ORDER BY run_at LIMIT 1";
/// A task that others know waits for them where this worker need not step over it again.
pub(in crate::store::sqlite) const PUT_APART: &str = "UPDATE task SET due = 2 WHERE seq = ?1 AND due = 1";
/// Whether anything was put aside at all.
pub(in crate::store::sqlite) const ANY_APART: &str = "SELECT 1 FROM task WHERE due > 1 AND due = 2 LIMIT 1";
/// The kinds that were put aside, one after the other, by a seek each.
pub(in crate::store::sqlite) const NEXT_APART: &str = concat!(
    "SELECT ",
    kind!(),
    ", name, workflow, step FROM task WHERE due > 1 AND due = 2 AND queue = ?1 AND ",
    kind!(),
    " > ?2 ORDER BY ",
    kind!(),
    " LIMIT 1"
);
/// A task that nobody knows is shown, not dropped, and does not spin.
pub(in crate::store::sqlite) const PARK_UNKNOWN: &str =
    "UPDATE task SET state = 'parked', due = 3, park_reason = ?2, park_detail = ?3 WHERE seq = ?1 AND state = 'ready'";
/// The same for a kind that was put aside for workers that are gone.
pub(in crate::store::sqlite) const PARK_APART: &str = concat!(
    "UPDATE task SET state = 'parked', due = 3, park_reason = ?3, park_detail = ?4 WHERE due > 1 AND due = 2 AND queue = ?1 AND ",
    kind!(),
    " = ?2"
);
