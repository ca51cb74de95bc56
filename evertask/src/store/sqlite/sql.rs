//! Every SQL statement of this store. Each says which promise it keeps.

/// The columns of a task that a claim hands to a worker.
macro_rules! claim_columns {
    () => {
        "seq, id, name, payload, fence, failures, crashes, correlation, run, workflow, step, cancel_requested, rank, \
         group_id, undo IS NOT NULL, got, deadline, own, slot, slots, rate, reserved"
    };
}

/// The columns by which a task is stopped, in the order in which `stop` takes them.
macro_rules! stop_columns {
    () => {
        "seq, id, state, wait, cancel_routed, worker, fence, run, group_id, undo IS NOT NULL, name, failures, slot, \
         cancel_requested"
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
        "CASE wait WHEN 'turn' THEN group_id WHEN 'slot' THEN slot || char(10) || queue ELSE run END"
    };
}

/// And where among those that do: its last.
macro_rules! place {
    () => {
        "CASE wait WHEN 'signal' THEN step WHEN 'slot' THEN rank ELSE undo END"
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
         progress_done, progress_total, created_at, finished_at, wait, item, undo IS NOT NULL, deadline"
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

/// The order of claims of a task that is ready at this time: a level of priority is worth a wait of one `ageing` of
/// its queue. What is too large for an integer is its largest, as in `rules`.
macro_rules! rank {
    ($run_at:literal) => {
        concat!(
            "CAST(",
            $run_at,
            " - priority * coalesce((SELECT ageing FROM queue WHERE queue.name = task.queue), 60000) AS INTEGER)"
        )
    };
}

/// What a new task has in any case, and its values.
macro_rules! new_task {
    ($columns:literal, $values:literal) => {
        concat!(
            "INSERT INTO task (id, name, queue, priority, state, due, run_at, fence, worker, cancel_routed, created_at, \
             payload, key, correlation, parent, run, workflow, step, rank",
            $columns,
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19",
            $values,
            ") ON CONFLICT DO NOTHING"
        )
    };
}

mod add;
mod callers;
mod cancel;
mod claim;
mod end;
mod file;
mod invariants;
mod letters;
mod limits;
mod prune;
mod queues;
mod read;
mod runs;
mod schedules;
mod waits;
mod workers;

pub(super) use add::*;
pub(super) use callers::*;
pub(super) use cancel::*;
pub(super) use claim::*;
pub(super) use end::*;
pub(super) use file::*;
pub(super) use invariants::INVARIANTS;
pub(super) use letters::*;
pub(super) use limits::*;
pub(super) use prune::*;
pub(super) use queues::*;
pub(super) use read::*;
pub(super) use runs::*;
pub(super) use schedules::*;
pub(super) use waits::*;
pub(super) use workers::*;
