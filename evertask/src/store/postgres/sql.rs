//! Every SQL statement of this store. Each says which promise it keeps.
//!
//! Names of tables are found by the search path, which each transaction has. Where rows are locked, runs go before
//! tasks, and each of them by id: what two nodes do at once, they do one after the other.

mod invariants;

pub(super) use invariants::INVARIANTS;

/// The columns of a task that a claim hands to a worker.
macro_rules! claim_columns {
    () => {
        "id, name, payload, fence, failures, crashes, correlation, run, workflow, step, cancel_requested, priority, \
         seq, group_id, undo IS NOT NULL, got"
    };
}

/// The columns by which a task is stopped, in the order in which `stop` takes them.
macro_rules! stop_columns {
    () => {
        "id, state, wait, cancel_routed, worker, fence, run, group_id, undo IS NOT NULL, name, failures"
    };
}

/// The columns of a task that tell a join, or an arm, what it came to.
macro_rules! outcome_columns {
    () => {
        "id, name, state, output, failure, failures"
    };
}

/// Whom a waiting task waits for: the first column of the index `task_wait`.
macro_rules! line {
    () => {
        "(CASE WHEN wait = 'turn' THEN group_id ELSE run END)"
    };
}

/// What a worker must know to run a task, in one word; as the index `task_aside` has it.
macro_rules! kind {
    () => {
        "((CASE WHEN step IS NULL THEN 't' || name ELSE 's' || workflow || E'\\n' || step END) COLLATE \"C\")"
    };
}

/// The columns of a [`TaskRecord`](crate::store::TaskRecord), in the order in which `read` takes them.
macro_rules! task_columns {
    () => {
        "id, name, queue, state, priority, run_at, payload, output, failure, error, park_reason, park_detail, fence, \
         failures, crashes, interrupts, worker, cancel_requested, key, correlation, parent, run, workflow, step, \
         progress_done, progress_total, created_at, finished_at, wait, item, undo IS NOT NULL"
    };
}

/// The columns of a [`RunRecord`](crate::store::RunRecord), in the order in which `read` takes them.
macro_rules! run_columns {
    () => {
        "id, workflow, version, state, input, output, failure, open_tasks, key, correlation, parent, deadline, \
         created_at, finished_at, fingerprint"
    };
}

// Transactions.

/// All of a transaction, or nothing.
pub(super) const BEGIN: &str = "BEGIN";
/// What only reads sees one moment.
pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Nothing was changed.
pub(super) const COMMIT: &str = "COMMIT";
/// Nothing of it.
pub(super) const ROLLBACK: &str = "ROLLBACK";

// The store itself.

/// This store is open.
pub(super) const INSERT_NODE: &str = "INSERT INTO node (id, batch) VALUES ($1, 0) ON CONFLICT DO NOTHING";
/// It is closed.
pub(super) const DELETE_NODE: &str = "DELETE FROM node WHERE id = $1";
/// Stores that were not closed, and have been silent for so long that nobody asks for them.
pub(super) const FORGET_NODES: &str = "DELETE FROM node WHERE seen < clock_timestamp() - interval '7 days'";
/// Whether a transaction is on disk whose answer was lost: the row waits for it to end, one way or the other.
pub(super) const LAST_BATCH: &str = "SELECT batch FROM node WHERE id = $1 FOR UPDATE";
/// The database's time of day, by which delayed tasks become due.
pub(super) const TIME: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
/// What the server promises of a commit.
pub(super) const DURABILITY: &str = "SELECT current_setting('synchronous_commit'), current_setting('fsync')";
/// A new worker, and whoever parks what nobody knows, do not miss each other: it is for the one or for the others.
pub(super) const KNOWLEDGE_CHANGES: &str = "SELECT number FROM migration WHERE number = 1 FOR UPDATE";
/// The other side of it.
pub(super) const KNOWLEDGE_STAYS: &str = "SELECT number FROM migration WHERE number = 1 FOR SHARE";

// Adding work.

/// An id or a key that is taken adds nothing: nothing forks a chain, whatever is repeated. The rows arrive in order.
pub(super) const INSERT_TASKS: &str = "\
    INSERT INTO task (id, name, queue, priority, state, due, run_at, fence, worker, cancel_routed, created_at, payload, \
                      key, correlation, parent, run, workflow, step, wait, got, undo, item, group_id) \
    SELECT id, name, queue, priority, state, due, run_at, CASE WHEN worker IS NULL THEN 0 ELSE 1 END, worker, \
           cancel_routed, $1, payload, key, correlation, parent, run, workflow, step, wait, got, undo, item, group_id \
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::smallint[], $8::bigint[], \
                $9::uuid[], $10::boolean[], $11::bytea[], $12::text[], $13::text[], $14::uuid[], $15::uuid[], \
                $16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[], $21::bigint[], $22::uuid[]) \
         WITH ORDINALITY AS new (id, name, queue, priority, state, due, run_at, worker, cancel_routed, payload, key, \
                                 correlation, parent, run, workflow, step, wait, got, undo, item, group_id, place) \
    ORDER BY place ON CONFLICT DO NOTHING RETURNING id";
/// As above, for runs; their first tasks follow in the same transaction.
pub(super) const INSERT_RUNS: &str = "\
    INSERT INTO run (id, workflow, version, state, open_tasks, end_routed, deadline, created_at, input, output, \
                     key, correlation, parent, step, fingerprint) \
    SELECT id, workflow, version, 'running', 1, end_routed, deadline, $1, input, output, key, correlation, parent, \
           step, fingerprint \
    FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::boolean[], $6::bigint[], $7::bytea[], $8::bytea[], \
                $9::text[], $10::text[], $11::uuid[], $12::uuid[], $13::bigint[]) \
         WITH ORDINALITY AS new (id, workflow, version, end_routed, deadline, input, output, key, correlation, parent, \
                                 step, fingerprint, place) \
    ORDER BY place ON CONFLICT DO NOTHING RETURNING id";
/// Who has the key.
pub(super) const TASK_BY_KEY: &str = "SELECT id FROM task WHERE name = $1 AND md5(key) = md5($2) AND key IS NOT NULL";
/// Who has the key.
pub(super) const RUN_BY_KEY: &str = "SELECT id FROM run WHERE workflow = $1 AND md5(key) = md5($2) AND key IS NOT NULL";
/// How often a step has run: a loop ends. One that is there already is not counted again.
pub(super) const VISITS: &str = "\
    SELECT count(*) FROM task WHERE run = $1 AND step = ANY ($2) AND undo IS NULL \
    AND NOT EXISTS (SELECT 1 FROM task WHERE id = $3)";

// Claiming.

/// When the next task is due, whether anything was put aside, and which of these workers are listed: one that was
/// taken for dead must not claim, and none of these can be until this transaction has ended.
pub(super) const SURVEY: &str = "\
    SELECT (SELECT run_at FROM task WHERE due = 0 ORDER BY run_at LIMIT 1), \
           EXISTS (SELECT 1 FROM task WHERE due > 1 AND due = 2), \
           ARRAY(SELECT id FROM worker WHERE id = ANY($1) FOR KEY SHARE)";
/// A claim takes what is due, the most urgent first and then by arrival; the index has them in this order. What
/// another node is about to claim is stepped over.
pub(super) const CLAIMABLE: &str = concat!(
    "SELECT ",
    claim_columns!(),
    " FROM task WHERE due = 1 AND queue = $1 ORDER BY priority DESC, seq LIMIT $2 FOR UPDATE SKIP LOCKED"
);
/// The same among what was put aside, of one kind.
pub(super) const CLAIMABLE_APART: &str = concat!(
    "SELECT ",
    claim_columns!(),
    " FROM task WHERE due > 1 AND due = 2 AND queue = $1 AND ",
    kind!(),
    " = $2 ORDER BY priority DESC, seq LIMIT $3 FOR UPDATE SKIP LOCKED"
);
/// A claim has a new fence, and is on disk before its handler starts. These rows are locked.
pub(super) const CLAIM: &str = "\
    UPDATE task SET state = 'running', due = NULL, fence = fence + 1, worker = $2 \
    WHERE id = ANY($1) AND state = 'ready'";
/// Both at once, where nothing was put aside; the CTE is materialized, because else more may be locked than are taken.
pub(super) const CLAIM_NEXT: &str = concat!(
    "WITH next AS MATERIALIZED (SELECT id AS next FROM task WHERE due = 1 AND queue = $1 \
     ORDER BY priority DESC, seq LIMIT $2 FOR UPDATE SKIP LOCKED) \
     UPDATE task SET state = 'running', due = NULL, fence = fence + 1, worker = $3 FROM next WHERE id = next \
     RETURNING ",
    claim_columns!()
);
/// What this transaction has claimed and the worker does not know was never claimed.
pub(super) const UNCLAIM: &str = "\
    UPDATE task SET state = 'ready', due = 1, fence = fence - 1, worker = NULL WHERE id = ANY($1) AND worker = $2";
/// Hand-over does not overtake what is more urgent.
pub(super) const TOP_PRIORITY: &str =
    "SELECT priority FROM task WHERE due = 1 AND queue = $1 ORDER BY priority DESC LIMIT 1";
/// What is due can be claimed: this marks it, so that a claim needs no look at what is not.
pub(super) const PROMOTE: &str = "\
    WITH ripe AS MATERIALIZED (SELECT id AS ripe FROM task WHERE due = 0 AND run_at <= $1 AND wait IS NULL \
                               ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED) \
    UPDATE task SET due = 1 FROM ripe WHERE id = ripe";
/// What waits for a signal, and the time is up.
pub(super) const UNSIGNALLED: &str = "\
    SELECT id, run FROM task WHERE due = 0 AND run_at <= $1 AND wait IS NOT NULL ORDER BY run_at LIMIT $2";
/// It goes on without one, unless its run is held.
pub(super) const GIVE_NOTHING: &str = "\
    UPDATE task SET state = CASE WHEN $2 THEN 'waiting' ELSE 'ready' END, wait = CASE WHEN $2 THEN 'pause' END, \
                    due = CASE WHEN $2 THEN NULL ELSE 1 END, got = 'nothing' \
    WHERE id = $1 AND due = 0 AND wait = 'signal'";
/// When to wake next.
pub(super) const NEXT_DUE: &str = "SELECT run_at FROM task WHERE due = 0 ORDER BY run_at LIMIT 1";
/// A task that others know waits for them where this worker need not step over it again.
pub(super) const PUT_APART: &str = "UPDATE task SET due = 2 WHERE id = ANY($1) AND due = 1";
/// The kinds that were put aside, one after the other, by a seek each.
pub(super) const NEXT_APART: &str = concat!(
    "SELECT ",
    kind!(),
    ", name, workflow, step FROM task WHERE due > 1 AND due = 2 AND queue = $1 AND ",
    kind!(),
    " > $2 ORDER BY ",
    kind!(),
    " LIMIT 1"
);
/// A task that nobody knows is shown, not dropped, and does not spin.
pub(super) const PARK_UNKNOWN: &str =
    "UPDATE task SET state = 'parked', due = 3, park_reason = $2, park_detail = $3 WHERE id = $1 AND state = 'ready'";
/// The same for a kind that was put aside for workers that are gone.
pub(super) const PARK_APART: &str = concat!(
    "UPDATE task SET state = 'parked', due = 3, park_reason = $3, park_detail = $4 \
     WHERE due > 1 AND due = 2 AND queue = $1 AND ",
    kind!(),
    " = $2"
);

// Ending attempts: each is guarded by the fence, and by nothing that has to do with time.

/// The claims that still hold, as they are stored.
pub(super) const HELD: &str = "\
    SELECT id, fence, run, group_id, undo IS NOT NULL FROM unnest($1::uuid[], $2::bigint[]) AS claim (task, token) \
    JOIN task ON id = task AND fence = token WHERE state = 'running'";
/// running -> succeeded, for all of a batch. They come sorted, and are locked in this order.
pub(super) const SUCCEED: &str = "\
    UPDATE task SET state = 'succeeded', worker = NULL, output = json, finished_at = $4 \
    FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS claim (holder, token, json) \
    WHERE id = holder AND fence = token AND state = 'running' RETURNING id, fence";
/// running -> failed; counts the failure.
pub(super) const FAIL: &str = "\
    UPDATE task SET state = 'failed', worker = NULL, failures = failures + 1, failure = $3, error = $4, finished_at = $5 \
    WHERE id = $1 AND fence = $2 AND state = 'running'";
/// running -> cancelled.
pub(super) const END_CANCELLED: &str = "\
    UPDATE task SET state = 'cancelled', worker = NULL, finished_at = $3 \
    WHERE id = $1 AND fence = $2 AND state = 'running'";
/// running -> ready. A cancel that was asked for is not forgotten: such a task ends, or is due now if a
/// worker has to end it. Counters never go down.
pub(super) const PUT_BACK: &str = "\
    UPDATE task SET \
        state = CASE WHEN cancel_requested AND NOT cancel_routed THEN 'cancelled' ELSE 'ready' END, \
        due = CASE WHEN NOT cancel_requested THEN $4 WHEN cancel_routed THEN 1 END, \
        run_at = CASE WHEN NOT cancel_requested THEN $3 WHEN cancel_routed THEN $5 ELSE run_at END, \
        finished_at = CASE WHEN cancel_requested AND NOT cancel_routed THEN $5 END, \
        worker = NULL, failures = failures + $6, crashes = crashes + $7, interrupts = interrupts + $8, \
        failure = coalesce($9, failure) \
    WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING state";
/// running -> parked; one whose cancel was asked for, and that no worker has to end, ends instead.
pub(super) const PARK: &str = "\
    UPDATE task SET \
        state = CASE WHEN cancel_requested AND NOT cancel_routed THEN 'cancelled' ELSE 'parked' END, \
        due = CASE WHEN cancel_requested AND NOT cancel_routed THEN NULL ELSE 3 END, \
        finished_at = CASE WHEN cancel_requested AND NOT cancel_routed THEN $5 END, \
        park_reason = CASE WHEN cancel_requested AND NOT cancel_routed THEN NULL ELSE $3 END, \
        park_detail = CASE WHEN cancel_requested AND NOT cancel_routed THEN NULL ELSE $4 END, worker = NULL \
    WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING state";
/// The evidence of an attempt that did not succeed.
pub(super) const INSERT_ATTEMPT: &str = "INSERT INTO attempt (task, fence, at, report) VALUES ($1, $2, $3, $4)";
/// Whether a claim still holds; it does until this transaction has ended.
pub(super) const STILL_HELD: &str =
    "SELECT 1 FROM task WHERE id = $1 AND fence = $2 AND state = 'running' FOR NO KEY UPDATE";
/// Progress, of a claim that holds.
pub(super) const PROGRESS: &str = "UPDATE task SET progress_done = $2, progress_total = $3 WHERE id = $1";
/// How many lines a task has.
pub(super) const LAST_LINE: &str = "SELECT max(line) FROM log WHERE task = $1";
/// The lines; one past the last is kept once.
pub(super) const INSERT_LINES: &str = "\
    INSERT INTO log (task, line, at, fence, text) \
    SELECT $1, line, at, fence, text FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[]) \
        AS new (line, at, fence, text) ON CONFLICT DO NOTHING";

// Runs.

/// What decides about what follows a step. Whoever changes a run, or what belongs to it, has its row first.
pub(super) const RUN_ROWS: &str = "\
    SELECT id, workflow, state, open_tasks, output IS NOT NULL, undos, arrivals, end_routed, step, signalled \
    FROM run WHERE id = ANY($1) ORDER BY id FOR UPDATE";
/// The runs go on, or end: a run ends in the transaction that ends its last task.
pub(super) const SET_RUNS: &str = "\
    UPDATE run SET state = now.state, open_tasks = now.open_tasks, undos = now.undos, arrivals = now.arrivals, \
                   signalled = now.signalled, output = coalesce(now.output, run.output), \
                   failure = coalesce(run.failure, now.failure), finished_at = now.finished_at, \
                   undo_failed = now.undo_failed \
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[], $7::bytea[], \
                $8::text[], $9::bigint[], $10::uuid[]) \
        AS now (id, state, open_tasks, undos, arrivals, signalled, output, failure, finished_at, undo_failed) \
    WHERE run.id = now.id";
/// What is still to end when a run is cancelled or fails; what undoes its steps is not stopped by that.
pub(super) const LIVE_OF_RUN: &str = concat!(
    "SELECT ",
    stop_columns!(),
    " FROM task WHERE run = $1 AND undo IS NULL AND state IN ('waiting', 'ready', 'running', 'parked') \
     ORDER BY id FOR UPDATE"
);
/// Runs whose time is up, held ones too.
pub(super) const EXPIRED: &str = "\
    SELECT id FROM run WHERE deadline IS NOT NULL AND finished_at IS NULL AND deadline <= $1 \
    AND state IN ('running', 'paused') ORDER BY deadline";

// Runs that are held.

/// Nothing new of a held run starts.
pub(super) const HOLD_TASKS: &str =
    "UPDATE task SET state = 'waiting', wait = 'pause', due = NULL WHERE run = $1 AND state = 'ready'";
/// The same for one task that is ready again.
pub(super) const HOLD_TASK: &str = "\
    UPDATE task SET state = 'waiting', wait = 'pause', due = NULL WHERE id = $1 AND state = 'ready'";
/// What was held is ready when it was to be.
pub(super) const RELEASE_TASKS: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = CASE WHEN run_at <= $2 THEN 1 ELSE 0 END WHERE ",
    line!(),
    " = $1 AND wait = 'pause'"
);

// Signals.

/// The first that waits for the signal, and whose time is not up.
pub(super) const WAITS_FOR_SIGNAL: &str = concat!(
    "SELECT id FROM task WHERE ",
    line!(),
    " = $1 AND wait = 'signal' AND step = ANY ($2) AND run_at > $3 ORDER BY seq LIMIT 1"
);
/// It has it, and is ready.
pub(super) const GIVE_SIGNAL: &str = "\
    UPDATE task SET state = 'ready', wait = NULL, due = 1, run_at = $2, payload = $3, got = 'signal' \
    WHERE id = $1 AND wait = 'signal'";
/// A signal that nobody waits for yet is kept; the second is not.
pub(super) const KEEP_SIGNAL: &str = "INSERT INTO signal (run, step, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
/// It came before, and was used or not.
pub(super) const SIGNAL_THERE: &str = "SELECT 1 FROM signal WHERE run = $1 AND step = ANY ($2) LIMIT 1";
/// A signal that came early, by the name of its step today before those that it had.
pub(super) const KEPT_SIGNAL: &str = "\
    SELECT step, value FROM signal WHERE run = $1 AND step = ANY ($2) AND value IS NOT NULL \
    ORDER BY array_position($2, step) LIMIT 1";
/// A run that has ended takes none.
pub(super) const CLEAR_SIGNALS: &str = "DELETE FROM signal WHERE run = $1";
/// A signal is used once.
pub(super) const USE_SIGNAL: &str = "\
    INSERT INTO signal (run, step, value) VALUES ($1, $2, NULL) ON CONFLICT (run, step) DO UPDATE SET value = NULL";

// Groups and joins.

/// A group that lives is not added to.
pub(super) const GROUP_THERE: &str = "SELECT 1 FROM each WHERE id = $1";
/// The tasks of an `each` are counted, so that it is known when the last has ended.
pub(super) const OPEN_GROUP: &str = "INSERT INTO each (id, open, waiting, most) VALUES ($1, $2, $3, $4)";
/// So many tasks of it have ended, or wait for their turn no more.
pub(super) const LEAVE_GROUP: &str =
    "UPDATE each SET open = open - $2, waiting = waiting - $3 WHERE id = $1 RETURNING open, waiting, most";
/// Its last task has ended.
pub(super) const CLOSE_GROUP: &str = "DELETE FROM each WHERE id = $1";
/// The next in the order of the items is ready.
pub(super) const TURN: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = CASE WHEN run_at <= $2 THEN 1 ELSE 0 END \
     WHERE id = (SELECT id FROM task WHERE ",
    line!(),
    " = $1 AND wait = 'turn' AND undo IS NULL ORDER BY seq LIMIT 1) RETURNING id, run"
);
/// A member has arrived: once in each round.
pub(super) const ARRIVE: &str =
    "INSERT INTO arrival (run, name, member, group_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
/// It arrives again before the others do: what it did last counts.
pub(super) const ARRIVE_AGAIN: &str = "UPDATE arrival SET group_id = $4 WHERE run = $1 AND name = $2 AND member = $3";
/// The join has a new name; who arrived under the old one, and not under the new one too, is kept.
pub(super) const RENAME_JOIN: &str = "\
    UPDATE arrival AS old SET name = $2 WHERE run = $1 AND name = $3 \
    AND NOT EXISTS (SELECT 1 FROM arrival AS new WHERE new.run = $1 AND new.name = $2 AND new.member = old.member)";
/// Who has arrived.
pub(super) const ARRIVED: &str = "SELECT member, group_id FROM arrival WHERE run = $1 AND name = $2";
/// The round is over: the joined task is added by this transaction.
pub(super) const CLEAR_JOIN: &str = "DELETE FROM arrival WHERE run = $1 AND name = $2";
/// A run that has ended waits for nobody.
pub(super) const CLEAR_ARRIVALS: &str = "DELETE FROM arrival WHERE run = $1";
/// A join that is not complete, of those that somebody has arrived at.
pub(super) const INCOMPLETE: &str = "SELECT name FROM arrival WHERE run = $1 ORDER BY name COLLATE \"C\" LIMIT 1";
/// What a step came to when it last succeeded.
pub(super) const LAST_SUCCEEDED: &str = concat!(
    "SELECT ",
    outcome_columns!(),
    " FROM task WHERE run = $1 AND step = $2 AND undo IS NULL AND state = 'succeeded' ORDER BY seq DESC LIMIT 1"
);
/// What it came to last.
pub(super) const LAST_ENDED: &str = concat!(
    "SELECT ",
    outcome_columns!(),
    " FROM task WHERE run = $1 AND step = $2 AND undo IS NULL AND finished_at IS NOT NULL ORDER BY seq DESC LIMIT 1"
);
/// What the items of an `each` came to, in their order.
pub(super) const OF_GROUP: &str =
    concat!("SELECT ", outcome_columns!(), " FROM task WHERE run = $1 AND step = $2 AND group_id = $3 ORDER BY item");

// Undoing.

/// The newest first, one at a time.
pub(super) const NEXT_UNDO: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = CASE WHEN run_at <= $2 THEN 1 ELSE 0 END \
     WHERE id = (SELECT id FROM task WHERE ",
    line!(),
    " = $1 AND wait = 'undo' ORDER BY undo DESC LIMIT 1)"
);
/// What a run did that succeeded is not undone.
pub(super) const DROP_UNDOS: &str = concat!("DELETE FROM task WHERE ", line!(), " = $1 AND wait = 'undo'");
/// Unless it was a step: then the other run undoes it, after what it does later.
pub(super) const MOVE_UNDOS: &str =
    concat!("UPDATE task SET run = $2, undo = undo + $3 WHERE ", line!(), " = $1 AND wait = 'undo'");
/// Where a compensation has stopped.
pub(super) const UNDO_FAILED: &str = "SELECT undo_failed FROM run WHERE id = $1 AND undo_failed IS NOT NULL FOR UPDATE";
/// It goes on there.
pub(super) const RESUME_UNDO: &str = "\
    UPDATE task SET state = 'ready', due = 1, run_at = $2, finished_at = NULL, cancel_requested = FALSE \
    WHERE id = $1 AND undo IS NOT NULL AND state IN ('failed', 'cancelled')";
/// failed -> compensating.
pub(super) const RESUME_COMPENSATION: &str = "\
    UPDATE run SET state = 'compensating', open_tasks = 1, finished_at = NULL, undo_failed = NULL \
    WHERE id = $1 AND state = 'failed'";

// Runs that are steps.

/// The step that waits for the end of a run.
pub(super) const WAITING_STEP: &str =
    concat!("SELECT ", stop_columns!(), ", cancel_requested FROM task WHERE id = $1 AND wait = 'run'");
/// It has it, and is ready.
pub(super) const GIVE_END: &str = "\
    UPDATE task SET state = 'ready', wait = NULL, due = 1, run_at = $2, payload = $3, got = 'run' \
    WHERE id = $1 AND wait = 'run'";
/// The run that a step waits for.
pub(super) const INNER_RUN: &str = "SELECT id FROM run WHERE step = $1 AND finished_at IS NULL";
/// The step ends when that has ended.
pub(super) const CANCEL_STEP: &str = "UPDATE task SET cancel_requested = TRUE WHERE id = $1 AND wait = 'run'";

// Cancelling.

/// Whose task it is: its run's row is locked before its own.
pub(super) const RUN_OF_TASK: &str = "SELECT run FROM task WHERE id = $1";
/// Where a task stands.
pub(super) const CANCEL_ROW: &str = concat!("SELECT ", stop_columns!(), " FROM task WHERE id = $1 FOR UPDATE");
/// waiting, ready or parked -> cancelled.
pub(super) const CANCEL_WAITING: &str = "\
    UPDATE task SET state = 'cancelled', wait = NULL, due = NULL, park_reason = NULL, park_detail = NULL, \
                    finished_at = $2 WHERE id = ANY($1) AND state IN ('waiting', 'ready', 'parked')";
/// What follows a cancel is done by a worker: the task is due at once.
pub(super) const CANCEL_ROUTED: &str = "\
    UPDATE task SET state = 'ready', wait = NULL, due = CASE WHEN due = 2 THEN 2 ELSE 1 END, \
                    run_at = least(run_at, $2), park_reason = NULL, park_detail = NULL, cancel_requested = TRUE \
    WHERE id = $1 AND state IN ('waiting', 'ready', 'parked')";
/// A running task is told; whether it ends first is decided by the fence.
pub(super) const CANCEL_RUNNING: &str =
    "UPDATE task SET cancel_requested = TRUE WHERE id = $1 AND state = 'running' AND NOT cancel_requested";
/// Live runs of a name.
pub(super) const RUNS_NAMED: &str = "SELECT id FROM run WHERE workflow = $1 AND finished_at IS NULL ORDER BY seq";
/// Live runs that belong together.
pub(super) const RUNS_CORRELATED: &str =
    "SELECT id FROM run WHERE correlation = $1 AND finished_at IS NULL ORDER BY seq";
/// Live tasks of a name: by the partial indexes of what is live, so that what has ended costs nothing.
pub(super) const TASKS_NAMED: &str = "\
    SELECT id, run, seq FROM task WHERE due = 0 AND wait IS NULL AND name = $1 UNION ALL \
    SELECT id, run, seq FROM task WHERE wait IS NOT NULL AND wait <> 'undo' AND name = $1 UNION ALL \
    SELECT id, run, seq FROM task WHERE due = 1 AND name = $1 UNION ALL \
    SELECT id, run, seq FROM task WHERE due > 1 AND name = $1 UNION ALL \
    SELECT id, run, seq FROM task WHERE worker IS NOT NULL AND name = $1 ORDER BY seq";
/// Live tasks that belong together.
pub(super) const TASKS_CORRELATED: &str = "\
    SELECT id, run, seq FROM task WHERE correlation = $1 AND finished_at IS NULL AND wait IS DISTINCT FROM 'undo' \
    ORDER BY seq";

// Workers.

/// A worker's life begins.
pub(super) const INSERT_WORKER: &str = "INSERT INTO worker (id, place, lease, beat, knows) VALUES ($1, $2, $3, 0, $4)";
/// A life ends.
pub(super) const DELETE_WORKER: &str = "DELETE FROM worker WHERE id = $1";
/// A worker that gave a sign of life since is spared: this re-tests it in the transaction.
pub(super) const DELETE_LAPSED: &str = "DELETE FROM worker WHERE id = $1 AND beat = $2";
/// One sign of life keeps all claims.
pub(super) const BEAT: &str = "UPDATE worker SET beat = beat + 1 WHERE id = $1";
/// What its holder is to stop.
pub(super) const TO_STOP: &str = "SELECT id, fence FROM task WHERE worker = $1 AND cancel_requested";
/// What a worker still holds.
pub(super) const HELD_BY: &str = "\
    SELECT id, fence, run, name, failures, group_id, undo IS NOT NULL, crashes FROM task WHERE worker = $1 ORDER BY id";
/// Who lives.
pub(super) const WORKERS: &str = "SELECT id, place, beat, lease FROM worker ORDER BY id";
/// When the first run's time is up, of those that live.
pub(super) const NEXT_DEADLINE: &str = "\
    SELECT min(deadline) FROM run WHERE deadline IS NOT NULL AND finished_at IS NULL AND state IN ('running', 'paused')";
/// What the living know.
pub(super) const KNOWLEDGE: &str = "SELECT knows FROM worker";
/// What waits for a worker that knows it.
pub(super) const PARKED: &str = "SELECT id, name, workflow, step, run FROM task WHERE due > 1 AND due = 3";
/// parked -> ready, once for each worker that starts.
pub(super) const UNPARK: &str = "\
    UPDATE task SET state = 'ready', due = 1, run_at = $2, park_reason = NULL, park_detail = NULL \
    WHERE id = $1 AND state = 'parked'";

// Reading.

/// One task.
pub(super) const TASK: &str = concat!("SELECT ", task_columns!(), " FROM task WHERE id = $1");
/// One run.
pub(super) const RUN: &str = concat!("SELECT ", run_columns!(), " FROM run WHERE id = $1");
/// Tasks that match, the oldest first, a page at a time.
pub(super) const TASKS: &str = concat!(
    "SELECT ",
    task_columns!(),
    " FROM task WHERE ($1::text[] IS NULL OR state = ANY($1)) AND ($2::text IS NULL OR name = $2) \
     AND ($3::text IS NULL OR queue = $3) AND ($4::uuid IS NULL OR run = $4) \
     AND ($5::text IS NULL OR correlation = $5) \
     AND ($6::uuid IS NULL OR seq > (SELECT seq FROM task AS earlier WHERE earlier.id = $6)) ORDER BY seq LIMIT $7"
);
/// Runs that match, the oldest first, a page at a time.
pub(super) const RUNS: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM run WHERE ($1::text[] IS NULL OR state = ANY($1)) AND ($2::text IS NULL OR workflow = $2) \
     AND ($3::text IS NULL OR correlation = $3) \
     AND ($4::uuid IS NULL OR seq > (SELECT seq FROM run AS earlier WHERE earlier.id = $4)) ORDER BY seq LIMIT $5"
);
/// A task's lines.
pub(super) const LOG: &str = "SELECT at, fence, text FROM log WHERE task = $1 ORDER BY line";
/// A task's attempts that did not succeed.
pub(super) const ATTEMPTS: &str = "SELECT fence, at, report FROM attempt WHERE task = $1 ORDER BY fence";
/// The payload of a run, for an arm that names it.
pub(super) const RUN_INPUT: &str = "SELECT input FROM run WHERE id = $1";
/// Which of these have ended, or are not there.
pub(super) const ENDED: &str = "\
    SELECT work FROM unnest($1::uuid[]) AS asked (work) \
    WHERE NOT EXISTS (SELECT 1 FROM task WHERE id = work AND finished_at IS NULL) \
    AND NOT EXISTS (SELECT 1 FROM run WHERE id = work AND finished_at IS NULL)";
