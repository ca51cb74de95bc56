//! Schedules, and what they have started.

macro_rules! schedule {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, spec, template, next, fired, skipped, paused, last_slot, last_task, last_run, created_at, \
             revision FROM schedule ",
            $rest
        )
    };
}

/// A deploy changes a schedule, and never doubles it: what it has counted stays, and its next slot with its spec.
pub(in crate::store::sqlite) const KEEP_SCHEDULE: &str = "\
    INSERT INTO schedule (id, name, spec, template, next, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
    ON CONFLICT (id) DO UPDATE SET \
        next = iif(schedule.spec = excluded.spec, schedule.next, excluded.next), \
        name = excluded.name, spec = excluded.spec, template = excluded.template, revision = revision + 1 \
    WHERE (schedule.name, schedule.spec, schedule.template) \
          IS NOT (excluded.name, excluded.spec, excluded.template)";
/// Its occurrences go with it, and what they have started stays.
pub(in crate::store::sqlite) const DROP_SCHEDULE: &str = "DELETE FROM schedule WHERE id = ?1";
/// It is held, or goes on with this slot.
pub(in crate::store::sqlite) const HOLD_SCHEDULE: &str = "\
    UPDATE schedule SET paused = ?2, next = coalesce(?3, next), revision = revision + 1 \
    WHERE id = ?1 AND (paused <> ?2 OR next IS NOT coalesce(?3, next))";
/// All of them.
pub(in crate::store::sqlite) const SCHEDULES: &str = schedule!("ORDER BY id");
/// Those whose slot has come.
pub(in crate::store::sqlite) const DUE_SCHEDULES: &str =
    schedule!("WHERE next IS NOT NULL AND NOT paused AND next <= ?1");
/// When the first of the others comes.
pub(in crate::store::sqlite) const NEXT_SCHEDULE: &str =
    "SELECT next FROM schedule WHERE next IS NOT NULL AND NOT paused AND next > ?1 ORDER BY next LIMIT 1";
/// Whether nobody has turned, changed or held it meanwhile.
pub(in crate::store::sqlite) const MAY_TURN: &str =
    "SELECT 1 FROM schedule WHERE id = ?1 AND revision = ?2 AND NOT paused";
/// Whether a slot was started: once, whoever tries.
pub(in crate::store::sqlite) const OCCURRED: &str = "SELECT 1 FROM occurrence WHERE schedule = ?1 AND slot = ?2";
/// What a slot has started is noted by the transaction that adds it.
pub(in crate::store::sqlite) const INSERT_OCCURRENCE: &str =
    "INSERT INTO occurrence (schedule, slot, work) VALUES (?1, ?2, ?3)";
/// The schedule moves on with that.
pub(in crate::store::sqlite) const TURN_SCHEDULE: &str = "\
    UPDATE schedule SET fired = fired + ?2, skipped = skipped + ?3, next = ?4, revision = revision + 1 WHERE id = ?1";
/// What it started last.
pub(in crate::store::sqlite) const SET_LAST: &str =
    "UPDATE schedule SET last_slot = ?2, last_task = ?3, last_run = ?4 WHERE id = ?1";
