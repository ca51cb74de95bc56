//! Every SQL statement of this store. Each says which promise it keeps.

mod invariants;

pub(super) use invariants::INVARIANTS;

/// The columns of a task that a claim hands to a worker.
macro_rules! claim_columns {
    () => {
        "seq, id, name, payload, fence, failures, crashes, correlation, run, workflow, step, cancel_requested, priority, \
         group_id, undo IS NOT NULL, got"
    };
}

/// The columns by which a task is stopped, in the order in which `stop` takes them.
macro_rules! stop_columns {
    () => {
        "seq, id, state, wait, cancel_routed, worker, fence, run, group_id, undo IS NOT NULL, name, failures"
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
        "iif(wait = 'turn', group_id, run)"
    };
}

/// And where among those that do: its last.
macro_rules! place {
    () => {
        "iif(wait = 'signal', step, undo)"
    };
}

/// What a worker must know to run a task, in one word; as the index `task_aside` has it.
macro_rules! kind {
    () => {
        "iif(step IS NULL, 't' || name, 's' || workflow || char(10) || step)"
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

/// Whether a waiting task can't go on, because its run is held.
macro_rules! held {
    () => {
        "wait IS NOT NULL AND (SELECT state FROM run WHERE run.id = task.run) = 'paused'"
    };
}

// Transactions.

/// A writer never begins as a reader: that would fail, whatever the time-out, when another wrote in between.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";
/// All of a batch.
pub(super) const COMMIT: &str = "COMMIT";
/// Nothing of it.
pub(super) const ROLLBACK: &str = "ROLLBACK";
/// A snapshot for several reads.
pub(super) const BEGIN_READ: &str = "BEGIN DEFERRED";

// Adding work.

/// An id or a key that is taken adds nothing: nothing forks a chain, whatever is repeated.
pub(super) const INSERT_TASK: &str = "\
    INSERT INTO task (id, name, queue, priority, state, due, run_at, fence, worker, cancel_routed, created_at, payload, \
                      key, correlation, parent, run, workflow, step) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) ON CONFLICT DO NOTHING";
/// The same for one that waits, has waited, is an item, or undoes a step: what most tasks do not have takes time.
pub(super) const INSERT_PART: &str = "\
    INSERT INTO task (id, name, queue, priority, state, due, run_at, fence, worker, cancel_routed, created_at, payload, \
                      key, correlation, parent, run, workflow, step, wait, got, undo, item, group_id) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23) \
    ON CONFLICT DO NOTHING";
/// As above, for a run; its first task follows in the same transaction.
pub(super) const INSERT_RUN: &str = "\
    INSERT INTO run (id, workflow, version, state, open_tasks, end_routed, deadline, created_at, input, output, \
                     key, correlation, parent, step, fingerprint) \
    VALUES (?1, ?2, ?3, 'running', 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING";
/// Who has the key.
pub(super) const TASK_BY_KEY: &str = "SELECT id FROM task WHERE name = ?1 AND key = ?2";
/// Who has the key.
pub(super) const RUN_BY_KEY: &str = "SELECT id FROM run WHERE workflow = ?1 AND key = ?2";
/// How often a step has run: a loop ends. One that is there already is not counted again.
pub(super) const VISITS: &str = "\
    SELECT count(*) FROM task WHERE run = ?1 AND step = ?2 AND undo IS NULL \
    AND NOT EXISTS (SELECT 1 FROM task WHERE id = ?3)";

// Claiming.

/// A claim takes what is due, the most urgent first and then by arrival; the index has them in this order.
pub(super) const CLAIMABLE: &str = concat!(
    "SELECT ",
    claim_columns!(),
    " FROM task WHERE due = 1 AND queue = ?1 ORDER BY priority DESC, seq LIMIT ?2"
);
/// The same among what was put aside, of one kind.
pub(super) const CLAIMABLE_APART: &str = concat!(
    "SELECT ",
    claim_columns!(),
    " FROM task WHERE due > 1 AND due = 2 AND queue = ?1 AND ",
    kind!(),
    " = ?2 ORDER BY priority DESC, seq LIMIT ?3"
);
/// A claim has a new fence, and is on disk before its handler starts.
pub(super) const CLAIM: &str =
    "UPDATE task SET state = 'running', due = NULL, fence = fence + 1, worker = ?2 WHERE seq = ?1 AND state = 'ready'";
/// Hand-over does not overtake what is more urgent.
pub(super) const TOP_PRIORITY: &str =
    "SELECT priority FROM task WHERE due = 1 AND queue = ?1 ORDER BY priority DESC LIMIT 1";
/// What is due can be claimed: this marks it, so that a claim needs no look at what is not. Of what waits for a
/// signal, the time is up: it goes on without one, unless its run is held.
pub(super) const PROMOTE: &str = concat!(
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
pub(super) const NEXT_DUE: &str = "SELECT run_at FROM task WHERE due = 0 ORDER BY run_at LIMIT 1";
/// A task that others know waits for them where this worker need not step over it again.
pub(super) const PUT_APART: &str = "UPDATE task SET due = 2 WHERE seq = ?1 AND due = 1";
/// Whether anything was put aside at all.
pub(super) const ANY_APART: &str = "SELECT 1 FROM task WHERE due > 1 AND due = 2 LIMIT 1";
/// The kinds that were put aside, one after the other, by a seek each.
pub(super) const NEXT_APART: &str = concat!(
    "SELECT ",
    kind!(),
    ", name, workflow, step FROM task WHERE due > 1 AND due = 2 AND queue = ?1 AND ",
    kind!(),
    " > ?2 ORDER BY ",
    kind!(),
    " LIMIT 1"
);
/// A task that nobody knows is shown, not dropped, and does not spin.
pub(super) const PARK_UNKNOWN: &str =
    "UPDATE task SET state = 'parked', due = 3, park_reason = ?2, park_detail = ?3 WHERE seq = ?1 AND state = 'ready'";
/// The same for a kind that was put aside for workers that are gone.
pub(super) const PARK_APART: &str = concat!(
    "UPDATE task SET state = 'parked', due = 3, park_reason = ?3, park_detail = ?4 WHERE due > 1 AND due = 2 AND queue = ?1 AND ",
    kind!(),
    " = ?2"
);

// Ending attempts: each is guarded by the fence, and by nothing that has to do with time.

/// The claim, if it still holds. `seq` is what the store remembers of it.
pub(super) const HELD: &str =
    "SELECT seq, run, group_id, undo IS NOT NULL FROM task WHERE id = ?1 AND fence = ?2 AND state = 'running'";
/// running -> succeeded.
pub(super) const SUCCEED: &str = "\
    UPDATE task SET state = 'succeeded', worker = NULL, output = ?4, finished_at = ?5 \
    WHERE seq = ?1 AND id = ?2 AND fence = ?3 AND state = 'running'";
/// running -> failed; counts the failure.
pub(super) const FAIL: &str = "\
    UPDATE task SET state = 'failed', worker = NULL, failures = failures + 1, failure = ?4, error = ?5, finished_at = ?6 \
    WHERE seq = ?1 AND id = ?2 AND fence = ?3 AND state = 'running'";
/// running -> cancelled.
pub(super) const END_CANCELLED: &str = "\
    UPDATE task SET state = 'cancelled', worker = NULL, finished_at = ?4 \
    WHERE seq = ?1 AND id = ?2 AND fence = ?3 AND state = 'running'";
/// running -> ready. A cancel that was asked for is not forgotten: such a task ends, or is due now if a
/// worker has to end it. Counters never go down.
pub(super) const PUT_BACK: &str = "\
    UPDATE task SET \
        state = iif(cancel_requested AND NOT cancel_routed, 'cancelled', 'ready'), \
        due = iif(cancel_requested, iif(cancel_routed, 1, NULL), ?5), \
        run_at = iif(cancel_requested, iif(cancel_routed, ?6, run_at), ?4), \
        finished_at = iif(cancel_requested AND NOT cancel_routed, ?6, NULL), \
        worker = NULL, failures = failures + ?7, crashes = crashes + ?8, interrupts = interrupts + ?9, \
        failure = coalesce(?10, failure) \
    WHERE seq = ?1 AND id = ?2 AND fence = ?3 AND state = 'running' RETURNING state";
/// running -> parked; one whose cancel was asked for, and that no worker has to end, ends instead.
pub(super) const PARK: &str = "\
    UPDATE task SET \
        state = iif(cancel_requested AND NOT cancel_routed, 'cancelled', 'parked'), \
        due = iif(cancel_requested AND NOT cancel_routed, NULL, 3), \
        finished_at = iif(cancel_requested AND NOT cancel_routed, ?6, NULL), \
        park_reason = iif(cancel_requested AND NOT cancel_routed, NULL, ?4), \
        park_detail = iif(cancel_requested AND NOT cancel_routed, NULL, ?5), worker = NULL \
    WHERE seq = ?1 AND id = ?2 AND fence = ?3 AND state = 'running' RETURNING state";
/// The evidence of an attempt that did not succeed.
pub(super) const INSERT_ATTEMPT: &str = "INSERT INTO attempt (task, fence, at, report) VALUES (?1, ?2, ?3, ?4)";
/// Progress, of a claim that holds.
pub(super) const PROGRESS: &str = "UPDATE task SET progress_done = ?2, progress_total = ?3 WHERE seq = ?1";
/// How many lines a task has.
pub(super) const LAST_LINE: &str = "SELECT max(line) FROM log WHERE task = ?1";
/// A line; one past the last is kept once.
pub(super) const INSERT_LINE: &str =
    "INSERT INTO log (task, line, at, fence, text) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";

// Runs.

/// What decides about what follows a step.
pub(super) const RUN_ROW: &str = "\
    SELECT workflow, state, open_tasks, output IS NOT NULL, undos, arrivals, end_routed OR step IS NOT NULL \
    FROM run WHERE id = ?1";
/// The run goes on, with so many tasks.
pub(super) const SET_RUN: &str = "\
    UPDATE run SET state = ?2, open_tasks = ?3, undos = ?4, arrivals = ?5, failure = coalesce(failure, ?6) \
    WHERE id = ?1";
/// The output is what the last step said.
pub(super) const SET_OUTPUT: &str = "UPDATE run SET output = ?2 WHERE id = ?1 AND state IN ('running', 'paused')";
/// A run ends in the transaction that ends its last task.
pub(super) const END_RUN: &str = "\
    UPDATE run SET state = ?2, open_tasks = 0, arrivals = 0, finished_at = ?3, failure = coalesce(failure, ?4), \
                   undo_failed = ?5, undos = ?6 \
    WHERE id = ?1 AND finished_at IS NULL \
    RETURNING end_routed, step, EXISTS (SELECT 1 FROM signal WHERE signal.run = ?1)";
/// What is still to end when a run is cancelled or fails; what undoes its steps is not stopped by that.
pub(super) const LIVE_OF_RUN: &str = concat!(
    "SELECT ",
    stop_columns!(),
    " FROM task WHERE run = ?1 AND undo IS NULL AND state IN ('waiting', 'ready', 'running', 'parked')"
);
/// Runs whose time is up, held ones too.
pub(super) const EXPIRED: &str = "\
    SELECT id FROM run WHERE deadline IS NOT NULL AND finished_at IS NULL AND deadline <= ?1 \
    AND state IN ('running', 'paused') ORDER BY deadline";

// Runs that are held.

/// running -> paused.
pub(super) const PAUSE: &str = "UPDATE run SET state = 'paused' WHERE id = ?1 AND state = 'running'";
/// Nothing new of a held run starts.
pub(super) const HOLD_TASKS: &str =
    "UPDATE task SET state = 'waiting', wait = 'pause', due = NULL WHERE run = ?1 AND state = 'ready'";
/// The same for one task that is ready again.
pub(super) const HOLD_TASK: &str = "\
    UPDATE task SET state = 'waiting', wait = 'pause', due = NULL \
    WHERE seq = ?1 AND state = 'ready' AND (SELECT state FROM run WHERE run.id = task.run) = 'paused'";
/// paused -> running.
pub(super) const RESUME: &str = "UPDATE run SET state = 'running' WHERE id = ?1 AND state = 'paused'";
/// What was held is ready when it was to be.
pub(super) const RELEASE_TASKS: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = iif(run_at <= ?2, 1, 0) WHERE ",
    line!(),
    " = ?1 AND wait = 'pause'"
);

// Signals.

/// The first that waits for the signal, and whose time is not up.
pub(super) const WAITS_FOR_SIGNAL: &str = concat!(
    "SELECT seq FROM task WHERE ",
    line!(),
    " = ?1 AND wait = 'signal' AND ",
    place!(),
    " = ?2 AND run_at > ?3 ORDER BY seq LIMIT 1"
);
/// It has it, and is ready.
pub(super) const GIVE_SIGNAL: &str = "\
    UPDATE task SET state = 'ready', wait = NULL, due = 1, run_at = ?2, payload = ?3, got = 'signal' \
    WHERE seq = ?1 AND wait = 'signal'";
/// A signal that nobody waits for yet is kept; the second is not.
pub(super) const KEEP_SIGNAL: &str = "INSERT INTO signal (run, step, value) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
/// It came before, and was used or not.
pub(super) const SIGNAL_THERE: &str = "SELECT 1 FROM signal WHERE run = ?1 AND step = ?2";
/// A signal that came early.
pub(super) const KEPT_SIGNAL: &str = "SELECT value FROM signal WHERE run = ?1 AND step = ?2 AND value IS NOT NULL";
/// A run that has ended takes none.
pub(super) const CLEAR_SIGNALS: &str = "DELETE FROM signal WHERE run = ?1";
/// A signal is used once.
pub(super) const USE_SIGNAL: &str = "\
    INSERT INTO signal (run, step, value) VALUES (?1, ?2, NULL) ON CONFLICT (run, step) DO UPDATE SET value = NULL";

// Groups and joins.

/// A group that lives is not added to.
pub(super) const GROUP_THERE: &str = "SELECT 1 FROM each WHERE id = ?1";
/// The tasks of an `each` are counted, so that it is known when the last has ended.
pub(super) const OPEN_GROUP: &str = "INSERT INTO each (id, open, waiting, most) VALUES (?1, ?2, ?3, ?4)";
/// So many tasks of it have ended, or wait for their turn no more.
pub(super) const LEAVE_GROUP: &str =
    "UPDATE each SET open = open - ?2, waiting = waiting - ?3 WHERE id = ?1 RETURNING open, waiting, most";
/// Its last task has ended.
pub(super) const CLOSE_GROUP: &str = "DELETE FROM each WHERE id = ?1";
/// The next in the order of the items is ready.
pub(super) const TURN: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = iif(run_at <= ?2, 1, 0) \
     WHERE seq = (SELECT seq FROM task WHERE ",
    line!(),
    " = ?1 AND wait = 'turn' AND ",
    place!(),
    " IS NULL ORDER BY seq LIMIT 1) RETURNING seq"
);
/// A member has arrived: once in each round.
pub(super) const ARRIVE: &str =
    "INSERT INTO arrival (run, name, member, group_id) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
/// It arrives again before the others do: what it did last counts.
pub(super) const ARRIVE_AGAIN: &str = "UPDATE arrival SET group_id = ?4 WHERE run = ?1 AND name = ?2 AND member = ?3";
/// The join has a new name; who arrived under the old one, and not under the new one too, is kept.
pub(super) const RENAME_JOIN: &str = "UPDATE OR IGNORE arrival SET name = ?2 WHERE run = ?1 AND name = ?3";
/// Who has arrived.
pub(super) const ARRIVED: &str = "SELECT member, group_id FROM arrival WHERE run = ?1 AND name = ?2";
/// The round is over: the joined task is added by this transaction.
pub(super) const CLEAR_JOIN: &str = "DELETE FROM arrival WHERE run = ?1 AND name = ?2";
/// A run that has ended waits for nobody.
pub(super) const CLEAR_ARRIVALS: &str = "DELETE FROM arrival WHERE run = ?1";
/// A join that is not complete, of those that somebody has arrived at.
pub(super) const INCOMPLETE: &str = "SELECT name FROM arrival WHERE run = ?1 ORDER BY name LIMIT 1";
/// What a step came to when it last succeeded.
pub(super) const LAST_SUCCEEDED: &str = concat!(
    "SELECT ",
    outcome_columns!(),
    " FROM task WHERE run = ?1 AND step = ?2 AND undo IS NULL AND state = 'succeeded' ORDER BY seq DESC LIMIT 1"
);
/// What it came to last.
pub(super) const LAST_ENDED: &str = concat!(
    "SELECT ",
    outcome_columns!(),
    " FROM task WHERE run = ?1 AND step = ?2 AND undo IS NULL AND finished_at IS NOT NULL ORDER BY seq DESC LIMIT 1"
);
/// What the items of an `each` came to, in their order.
pub(super) const OF_GROUP: &str =
    concat!("SELECT ", outcome_columns!(), " FROM task WHERE run = ?1 AND step = ?2 AND group_id = ?3 ORDER BY item");

// Undoing.

/// The newest first, one at a time.
pub(super) const NEXT_UNDO: &str = concat!(
    "UPDATE task SET state = 'ready', wait = NULL, due = iif(run_at <= ?2, 1, 0) \
     WHERE seq = (SELECT seq FROM task WHERE ",
    line!(),
    " = ?1 AND wait = 'undo' ORDER BY ",
    place!(),
    " DESC LIMIT 1)"
);
/// What a run did that succeeded is not undone.
pub(super) const DROP_UNDOS: &str = concat!("DELETE FROM task WHERE ", line!(), " = ?1 AND wait = 'undo'");
/// Unless it was a step: then the other run undoes it, after what it does later.
pub(super) const MOVE_UNDOS: &str =
    concat!("UPDATE task SET run = ?2, undo = undo + ?3 WHERE ", line!(), " = ?1 AND wait = 'undo'");
/// Where a compensation has stopped.
pub(super) const UNDO_FAILED: &str = "SELECT undo_failed FROM run WHERE id = ?1 AND undo_failed IS NOT NULL";
/// It goes on there.
pub(super) const RESUME_UNDO: &str = "\
    UPDATE task SET state = 'ready', due = 1, run_at = ?2, finished_at = NULL, cancel_requested = 0 \
    WHERE seq = ?1 AND undo IS NOT NULL AND state IN ('failed', 'cancelled')";
/// failed -> compensating.
pub(super) const RESUME_COMPENSATION: &str = "\
    UPDATE run SET state = 'compensating', open_tasks = 1, finished_at = NULL, undo_failed = NULL \
    WHERE id = ?1 AND state = 'failed'";

// Runs that are steps.

/// The step that waits for the end of a run.
pub(super) const WAITING_STEP: &str =
    concat!("SELECT ", stop_columns!(), ", cancel_requested FROM task WHERE id = ?1 AND wait = 'run'");
/// It has it, and is ready.
pub(super) const GIVE_END: &str = "\
    UPDATE task SET state = 'ready', wait = NULL, due = 1, run_at = ?2, payload = ?3, got = 'run' \
    WHERE seq = ?1 AND wait = 'run'";
/// The run that a step waits for.
pub(super) const INNER_RUN: &str = "SELECT id FROM run WHERE step = ?1 AND finished_at IS NULL";
/// The step ends when that has ended.
pub(super) const CANCEL_STEP: &str = "UPDATE task SET cancel_requested = 1 WHERE seq = ?1 AND wait = 'run'";
/// The places of what it undoes are taken.
pub(super) const SET_UNDOS: &str = "UPDATE run SET undos = ?2 WHERE id = ?1";

// Cancelling.

/// Where a task stands.
pub(super) const CANCEL_ROW: &str = concat!("SELECT ", stop_columns!(), " FROM task WHERE id = ?1");
/// waiting, ready or parked -> cancelled.
pub(super) const CANCEL_WAITING: &str = "\
    UPDATE task SET state = 'cancelled', wait = NULL, due = NULL, park_reason = NULL, park_detail = NULL, \
                    finished_at = ?2 WHERE seq = ?1 AND state IN ('waiting', 'ready', 'parked')";
/// What follows a cancel is done by a worker: the task is due at once.
pub(super) const CANCEL_ROUTED: &str = "\
    UPDATE task SET state = 'ready', wait = NULL, due = iif(due = 2, 2, 1), run_at = min(run_at, ?2), \
                    park_reason = NULL, park_detail = NULL, cancel_requested = 1 \
    WHERE seq = ?1 AND state IN ('waiting', 'ready', 'parked')";
/// A running task is told; whether it ends first is decided by the fence.
pub(super) const CANCEL_RUNNING: &str =
    "UPDATE task SET cancel_requested = 1 WHERE seq = ?1 AND state = 'running' AND NOT cancel_requested";
/// Live runs of a name.
pub(super) const RUNS_NAMED: &str = "SELECT id FROM run WHERE workflow = ?1 AND finished_at IS NULL ORDER BY seq";
/// Live runs that belong together.
pub(super) const RUNS_CORRELATED: &str =
    "SELECT id FROM run WHERE correlation = ?1 AND finished_at IS NULL ORDER BY seq";
/// Live tasks of a name: by the partial indexes of what is live, so that what has ended costs nothing.
pub(super) const TASKS_NAMED: &str = "\
    SELECT id, run, seq FROM task INDEXED BY task_later WHERE due = 0 AND wait IS NULL AND name = ?1 UNION ALL \
    SELECT id, run, seq FROM task INDEXED BY task_wait WHERE wait <> 'undo' AND name = ?1 UNION ALL \
    SELECT id, run, seq FROM task INDEXED BY task_due WHERE due = 1 AND name = ?1 UNION ALL \
    SELECT id, run, seq FROM task INDEXED BY task_aside WHERE due > 1 AND name = ?1 UNION ALL \
    SELECT id, run, seq FROM task INDEXED BY task_worker WHERE worker IS NOT NULL AND name = ?1 ORDER BY seq";
/// Live tasks that belong together.
pub(super) const TASKS_CORRELATED: &str =
    "SELECT id, run, seq FROM task WHERE correlation = ?1 AND finished_at IS NULL AND wait IS NOT 'undo' ORDER BY seq";

// Workers.

/// A worker's life begins.
pub(super) const INSERT_WORKER: &str = "INSERT INTO worker (id, place, lease, beat, knows) VALUES (?1, ?2, ?3, 0, ?4)";
/// A life ends.
pub(super) const DELETE_WORKER: &str = "DELETE FROM worker WHERE id = ?1";
/// A worker that gave a sign of life since is spared: this re-tests it in the transaction.
pub(super) const DELETE_LAPSED: &str = "DELETE FROM worker WHERE id = ?1 AND beat = ?2";
/// Whether it was taken for dead.
pub(super) const LISTED: &str = "SELECT 1 FROM worker WHERE id = ?1";
/// One sign of life keeps all claims.
pub(super) const BEAT: &str = "UPDATE worker SET beat = beat + 1 WHERE id = ?1";
/// What its holder is to stop.
pub(super) const TO_STOP: &str = "SELECT id, fence FROM task WHERE worker = ?1 AND cancel_requested";
/// What a worker still holds.
pub(super) const HELD_BY: &str = "SELECT seq, id, fence, run, name, failures, group_id, undo IS NOT NULL, crashes \
    FROM task WHERE worker = ?1";
/// Who lives.
pub(super) const WORKERS: &str = "SELECT id, place, beat, lease FROM worker ORDER BY id";
/// What the living know.
pub(super) const KNOWLEDGE: &str = "SELECT knows FROM worker";
/// What waits for a worker that knows it.
pub(super) const PARKED: &str = "SELECT seq, name, workflow, step FROM task WHERE due > 1 AND due = 3";
/// parked -> ready, once for each worker that starts.
pub(super) const UNPARK: &str = "\
    UPDATE task SET state = 'ready', due = 1, run_at = ?2, park_reason = NULL, park_detail = NULL \
    WHERE seq = ?1 AND state = 'parked'";

// Reading.

/// One task.
pub(super) const TASK: &str = concat!("SELECT ", task_columns!(), " FROM task WHERE id = ?1");
/// One run.
pub(super) const RUN: &str = concat!("SELECT ", run_columns!(), " FROM run WHERE id = ?1");
/// The head of a listing; `read` adds what the filter says.
pub(super) const TASKS: &str = concat!("SELECT ", task_columns!(), " FROM task WHERE 1");
/// The head of a listing; `read` adds what the filter says.
pub(super) const RUNS: &str = concat!("SELECT ", run_columns!(), " FROM run WHERE 1");
/// The oldest first.
pub(super) const PAGE: &str = " ORDER BY seq LIMIT ?";
/// The next page.
pub(super) const AFTER_TASK: &str = " AND seq > (SELECT seq FROM task WHERE id = ?)";
/// The next page.
pub(super) const AFTER_RUN: &str = " AND seq > (SELECT seq FROM run WHERE id = ?)";
/// A task's lines.
pub(super) const LOG: &str =
    "SELECT at, log.fence, text FROM log JOIN task ON task.seq = log.task WHERE task.id = ?1 ORDER BY line";
/// A task's attempts that did not succeed.
pub(super) const ATTEMPTS: &str = "\
    SELECT attempt.fence, at, report FROM attempt JOIN task ON task.seq = attempt.task \
    WHERE task.id = ?1 ORDER BY attempt.fence";
/// The payload of a run, for an arm that names it.
pub(super) const RUN_INPUT: &str = "SELECT input FROM run WHERE id = ?1";
/// Whether it lives still.
pub(super) const TASK_LIVES: &str = "SELECT 1 FROM task WHERE id = ?1 AND finished_at IS NULL";
/// Whether it lives still.
pub(super) const RUN_LIVES: &str = "SELECT 1 FROM run WHERE id = ?1 AND finished_at IS NULL";

// The file.

/// Which program the file belongs to.
pub(super) const APPLICATION_ID: &str = "PRAGMA application_id";
/// Which migrations it has had.
pub(super) const USER_VERSION: &str = "PRAGMA user_version";
/// Whether it is empty.
pub(super) const ANY_TABLE: &str = "SELECT count(*) FROM sqlite_schema";
/// Read back, because SQLite takes a value that it does not know without a word.
pub(super) const SYNCHRONOUS: &str = "PRAGMA synchronous";
/// Read back.
pub(super) const JOURNAL_MODE: &str = "PRAGMA journal_mode";
/// Changes when another process commits, and costs next to nothing to ask.
pub(super) const DATA_VERSION: &str = "PRAGMA data_version";
/// Moves what it can from the WAL to the file, without waiting for anybody.
pub(super) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";
