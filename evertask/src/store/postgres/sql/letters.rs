//! What has failed is tried again, or removed.

/// The runs of tasks, which are locked before them.
pub(in crate::store::postgres) const RUNS_OF_TASKS: &str =
    "SELECT DISTINCT run FROM task WHERE id = ANY($1) AND run IS NOT NULL";
/// What decides whether tasks can be tried again, of those that are there.
pub(in crate::store::postgres) const LETTERS: &str = "\
    SELECT id, state, was IS NOT DISTINCT FROM 'followed', run, group_id FROM task WHERE id = ANY($1) \
    ORDER BY id FOR UPDATE";
/// Runs of which something is being undone, or was.
pub(in crate::store::postgres) const UNDONE: &str = "\
    SELECT DISTINCT run FROM task WHERE run = ANY($1) AND undo IS NOT NULL \
    AND (fence > 0 OR state IN ('ready', 'running'))";
/// A group that is about to end does, or stays.
pub(in crate::store::postgres) const LOCK_GROUPS: &str = "SELECT 1 FROM each WHERE id = ANY($1) ORDER BY id FOR UPDATE";
/// failed -> ready, with its attempts behind it and none counted. Of a group that is limited, it waits for its turn.
pub(in crate::store::postgres) const REVIVE: &str = concat!(
    "WITH found AS MATERIALIZED \
        (SELECT task.id AS found, most IS NOT NULL AS limited FROM task LEFT JOIN each ON each.id = group_id \
         WHERE task.id = ANY($1)), \
    again AS \
        (UPDATE task SET state = CASE WHEN limited THEN 'waiting' ELSE 'ready' END, \
                         wait = CASE WHEN limited THEN 'turn' END, due = CASE WHEN limited THEN NULL ELSE 1 END, \
                         run_at = $2, failures = 0, crashes = 0, deadline = NULL, finished_at = NULL, \
                         cancel_requested = FALSE, error = NULL, was = NULL, reserved = NULL, \
                         rank = ",
    rank!("$2::bigint"),
    " FROM found WHERE id = found AND state = 'failed' RETURNING run, group_id, wait) \
    SELECT run, group_id, count(*), count(*) FILTER (WHERE wait = 'turn') FROM again GROUP BY run, group_id"
);
/// They have another payload, and the limits of that.
pub(in crate::store::postgres) const EDIT: &str = concat!(
    "UPDATE task SET payload = $2, slots = $4, pace = $6, slot = ",
    bucket!("$3::text"),
    ", rate = ",
    bucket!("$5::text"),
    " WHERE id = ANY($1) AND state IN ('ready', 'waiting')"
);
/// What the failure of runs has stopped is ready again, or waits again.
pub(in crate::store::postgres) const TAKE_UP: &str = concat!(
    "WITH found AS MATERIALIZED \
        (SELECT task.id AS found, \
                CASE WHEN most IS NOT NULL THEN 'turn' WHEN was = 'signal' THEN 'signal' END AS waits \
         FROM task LEFT JOIN each ON each.id = group_id \
         WHERE task.run = ANY($1) AND state IN ('cancelled', 'failed') AND was IS NOT NULL AND was <> 'followed'), \
    again AS \
        (UPDATE task SET state = CASE WHEN waits IS NULL THEN 'ready' ELSE 'waiting' END, wait = waits, \
                         due = CASE WHEN waits = 'turn' THEN NULL \
                                    WHEN waits = 'signal' THEN CASE WHEN run_at = $3 THEN NULL ELSE 0 END \
                                    WHEN run_at <= $2 THEN 1 ELSE 0 END, \
                         failures = CASE WHEN state = 'failed' THEN 0 ELSE failures END, \
                         crashes = CASE WHEN state = 'failed' THEN 0 ELSE crashes END, \
                         deadline = NULL, finished_at = NULL, cancel_requested = FALSE, error = NULL, was = NULL, \
                         rank = ",
    rank!("run_at"),
    " FROM found WHERE id = found RETURNING run, group_id, wait) \
    SELECT run, group_id, count(*), count(*) FILTER (WHERE wait = 'turn') FROM again GROUP BY run, group_id"
);
/// What waits for a signal again that came meanwhile has it; the first, of several.
pub(in crate::store::postgres) const GIVE_KEPT: &str = concat!(
    "WITH first AS MATERIALIZED \
        (SELECT DISTINCT ON (run, step) id, run AS whose, step AS place FROM task WHERE ",
    line!(),
    " = ANY($1) AND wait = 'signal' ORDER BY run, step, seq), \
    given AS \
        (UPDATE task SET state = 'ready', wait = NULL, due = 1, run_at = $2, payload = value, got = 'signal', \
                         rank = ",
    rank!("$2::bigint"),
    " FROM first JOIN signal ON signal.run = whose AND signal.step = place \
         WHERE task.id = first.id AND value IS NOT NULL RETURNING whose, place) \
    UPDATE signal SET value = NULL FROM given WHERE run = whose AND step = place"
);
/// failed -> running. A time that is up is not counted again.
pub(in crate::store::postgres) const REVIVE_RUNS: &str = "\
    UPDATE run SET state = 'running', open_tasks = live, finished_at = NULL, failure = NULL, undo_failed = NULL, \
                   deadline = CASE WHEN deadline > $3 THEN deadline END \
    FROM unnest($1::uuid[], $2::bigint[]) AS again (run, live) WHERE id = again.run AND state = 'failed'";
/// Items live again, and so many of them wait for their turn.
pub(in crate::store::postgres) const ENTER_GROUPS: &str = "\
    UPDATE each SET open = open + live, waiting = waiting + late \
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS again (items, live, late) WHERE id = items RETURNING id";
/// The same for groups that had ended.
pub(in crate::store::postgres) const OPEN_GROUPS: &str = "\
    INSERT INTO each (id, open, waiting) SELECT items, live, 0 FROM unnest($1::uuid[], $2::bigint[]) AS again (items, live)";
/// The next in the order of the items have their turns, as many as there is room for.
pub(in crate::store::postgres) const GIVE_TURNS: &str = concat!(
    "WITH next AS MATERIALIZED \
        (SELECT turn.id AS next FROM each CROSS JOIN LATERAL \
             (SELECT id FROM task WHERE ",
    line!(),
    " = each.id AND wait = 'turn' AND undo IS NULL ORDER BY seq LIMIT greatest(most - (open - waiting), 0)) AS turn \
         WHERE each.id = ANY($1) AND waiting > 0), \
    given AS \
        (UPDATE task SET state = 'ready', wait = NULL, due = CASE WHEN run_at <= $2 THEN 1 ELSE 0 END, rank = ",
    rank!("run_at"),
    " FROM next WHERE id = next RETURNING group_id), \
    turns AS (SELECT group_id, count(*) AS given FROM given GROUP BY group_id) \
    UPDATE each SET waiting = waiting - given FROM turns WHERE id = group_id"
);
/// Tasks outside of runs go, if they have ended or are parked.
pub(in crate::store::postgres) const DISCARD_TASKS: &str = "\
    WITH gone AS MATERIALIZED \
        (SELECT id AS gone FROM task WHERE id = ANY($1) AND run IS NULL \
         AND (finished_at IS NOT NULL OR state = 'parked') ORDER BY id FOR UPDATE) \
    DELETE FROM task USING gone WHERE id = gone RETURNING id, group_id, state = 'parked'";
