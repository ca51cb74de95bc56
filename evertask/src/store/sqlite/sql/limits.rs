//! Limits that tasks share by buckets: so many at once, or in a time.

/// How many of a bucket run.
pub(in crate::store::sqlite) const SLOTS_TAKEN: &str = "SELECT taken FROM slot WHERE bucket = ?1";
/// One more runs.
pub(in crate::store::sqlite) const TAKE_SLOT: &str = "\
    INSERT INTO slot (bucket, taken) VALUES (?1, 1) ON CONFLICT (bucket) DO UPDATE SET taken = taken + 1";
/// One runs no more.
pub(in crate::store::sqlite) const FREE_SLOT: &str = "UPDATE slot SET taken = taken - 1 WHERE bucket = ?1";
/// A bucket that nothing runs of need not be kept.
pub(in crate::store::sqlite) const FORGET_SLOTS: &str = "DELETE FROM slot WHERE bucket = ?1 AND taken = 0";
/// ready -> waiting: as many of its bucket run as may.
pub(in crate::store::sqlite) const WAIT_FOR_SLOT: &str =
    "UPDATE task SET state = 'waiting', wait = 'slot', due = NULL WHERE seq = ?1 AND state = 'ready'";
/// The next queue in which somebody waits for a slot of the bucket, by a seek each; as the index has it.
pub(in crate::store::sqlite) const NEXT_FOR_SLOT: &str = concat!(
    "SELECT queue FROM task WHERE wait IS NOT NULL AND ",
    line!(),
    " > ?1 || char(10) || ?2 AND ",
    line!(),
    " < ?1 || char(11) AND wait = 'slot' ORDER BY ",
    line!(),
    " LIMIT 1"
);
/// Who is first there.
pub(in crate::store::sqlite) const FIRST_FOR_SLOT: &str = concat!(
    "SELECT seq, slots FROM task WHERE ",
    line!(),
    " = ?1 || char(10) || ?2 AND wait = 'slot' ORDER BY ",
    place!(),
    ", seq LIMIT 1"
);
/// waiting -> ready; whether a slot is free is asked again at its claim.
pub(in crate::store::sqlite) const GIVE_SLOT: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = iif(run_at <= ?2, 1, 0), rank = ",
    rank!("run_at"),
    " WHERE seq = ?1 AND wait = 'slot'"
);
/// What is left of a rate that tasks share.
pub(in crate::store::sqlite) const BUCKET: &str = "SELECT spent, started FROM bucket WHERE name = ?1";
/// What has its time is paid for, and so is what has started.
pub(in crate::store::sqlite) const SPEND: &str = "\
    INSERT INTO bucket (name, spent, started) VALUES (?1, ?2, ?3) \
    ON CONFLICT (name) DO UPDATE SET spent = excluded.spent, started = excluded.started";
/// It is ready when it asks again, and keeps the time that nobody else is given; nothing is counted for that.
pub(in crate::store::sqlite) const PUT_OFF: &str = concat!(
    "UPDATE task SET due = 0, run_at = ?2, reserved = ?3, rank = ",
    rank!("?2"),
    " WHERE seq = ?1 AND state = 'ready'"
);
/// A claim of one that has limits: its next attempt must ask again.
pub(in crate::store::sqlite) const CLAIM_LIMITED: &str = "\
    UPDATE task SET state = 'running', due = NULL, fence = fence + 1, worker = ?2, reserved = NULL \
    WHERE seq = ?1 AND state = 'ready'";
