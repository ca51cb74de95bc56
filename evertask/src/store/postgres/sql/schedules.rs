//! Schedules, and what they have started.

macro_rules! schedule_columns {
    () => {
        "id, name, spec, template, next, fired, skipped, paused, last_slot, last_task, last_run, created_at, revision"
    };
}

/// A deploy changes a schedule, and never doubles it: what it has counted stays, and its next slot with its spec. The
/// ids come sorted, each once.
pub(in crate::store::postgres) const KEEP_SCHEDULES: &str = "\
    INSERT INTO schedule (id, name, spec, template, next, created_at) \
    SELECT id, name, spec, template, next, $6 \
    FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::bigint[]) AS new (id, name, spec, template, next) \
    ON CONFLICT (id) DO UPDATE SET \
        next = CASE WHEN schedule.spec = excluded.spec THEN schedule.next ELSE excluded.next END, \
        name = excluded.name, spec = excluded.spec, template = excluded.template, revision = schedule.revision + 1 \
    WHERE (schedule.name, schedule.spec, schedule.template) <> (excluded.name, excluded.spec, excluded.template)";
/// Its occurrences go with it, and what they have started stays.
pub(in crate::store::postgres) const DROP_SCHEDULE: &str = "DELETE FROM schedule WHERE id = $1";
/// It is held, or goes on with this slot.
pub(in crate::store::postgres) const HOLD_SCHEDULE: &str = "\
    UPDATE schedule SET paused = $2, next = coalesce($3, next), revision = revision + 1 \
    WHERE id = $1 AND (paused <> $2 OR next IS DISTINCT FROM coalesce($3, next))";
/// All of them.
pub(in crate::store::postgres) const SCHEDULES: &str =
    concat!("SELECT ", schedule_columns!(), " FROM schedule ORDER BY id");
/// Those whose slot has come, and the first of the others.
pub(in crate::store::postgres) const DUE_SCHEDULES: &str = concat!(
    "(SELECT ",
    schedule_columns!(),
    " FROM schedule WHERE next IS NOT NULL AND NOT paused AND next <= $1) UNION ALL (SELECT ",
    schedule_columns!(),
    " FROM schedule WHERE next IS NOT NULL AND NOT paused AND next > $1 ORDER BY next LIMIT 1)"
);
/// Whether nobody has turned, changed or held it meanwhile; nobody does until this transaction has ended.
pub(in crate::store::postgres) const MAY_TURN: &str =
    "SELECT 1 FROM schedule WHERE id = $1 AND revision = $2 AND NOT paused FOR NO KEY UPDATE";
/// Which slots were started: each once, whoever tries.
pub(in crate::store::postgres) const OCCURRED: &str =
    "SELECT slot FROM occurrence WHERE schedule = $1 AND slot = ANY($2)";
/// What slots have started is noted by the transaction that adds it.
pub(in crate::store::postgres) const INSERT_OCCURRENCES: &str = "\
    INSERT INTO occurrence (schedule, slot, work) \
    SELECT $1, slot, work FROM unnest($2::bigint[], $3::uuid[]) AS new (slot, work)";
/// The schedule moves on with that.
pub(in crate::store::postgres) const TURN_SCHEDULE: &str = "\
    UPDATE schedule SET fired = fired + $2, skipped = skipped + $3, next = $4, revision = revision + 1, \
                        last_slot = coalesce($5, last_slot), \
                        last_task = CASE WHEN $5 IS NULL THEN last_task ELSE $6 END, \
                        last_run = CASE WHEN $5 IS NULL THEN last_run ELSE $7 END \
    WHERE id = $1";
