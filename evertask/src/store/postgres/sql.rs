//! Every SQL statement of this store. Each says which promise it keeps.
//!
//! Names of tables are found by the search path, which each transaction has. Where rows are locked, runs go before
//! tasks, and each of them by id; then queues, and then buckets, by name: what two nodes do at once, they do one after the
//! other.

/// The columns of a task that a claim hands to a worker.
macro_rules! claim_columns {
    () => {
        "id, name, payload, fence, failures, crashes, correlation, run, workflow, step, cancel_requested, rank, \
         seq, group_id, undo IS NOT NULL, got, deadline, own, slot, slots, rate, pace"
    };
}

/// The columns by which a task is stopped, in the order in which `stop` takes them.
macro_rules! stop_columns {
    () => {
        "id, state, wait, cancel_routed, worker, fence, run, group_id, undo IS NOT NULL, name, failures, \
         cancel_requested, slot"
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

/// The order of claims of a task that is ready at this time: a level of priority is worth a wait of one `ageing` of
/// its queue. Times that nobody lives to see are all the same, so that it fits.
macro_rules! rank {
    ($run_at:literal) => {
        rank!($run_at, "task")
    };
    ($run_at:literal, $of:literal) => {
        concat!(
            "greatest(least(",
            $run_at,
            ", 4611686018427387904), -4611686018427387904) - CASE ",
            $of,
            ".priority WHEN 0 THEN 0 ELSE ",
            $of,
            ".priority * coalesce((SELECT ageing FROM queue WHERE queue.name = ",
            $of,
            ".queue), 60000) END"
        )
    };
}

/// A bucket's name, which may be longer than an index takes.
macro_rules! bucket {
    ($name:literal) => {
        concat!("CASE WHEN octet_length(", $name, ") > 500 THEN md5(", $name, ") ELSE ", $name, " END")
    };
}

/// The columns of a [`TaskRecord`](crate::store::TaskRecord), in the order in which `read` takes them.
macro_rules! task_columns {
    () => {
        "id, name, queue, state, priority, run_at, payload, output, failure, error, park_reason, park_detail, fence, \
         failures, crashes, interrupts, worker, cancel_requested, key, correlation, parent, run, workflow, step, \
         progress_done, progress_total, created_at, finished_at, wait, item, undo IS NOT NULL, \
         deadline"
    };
}

/// The columns of a [`RunRecord`](crate::store::RunRecord), in the order in which `read` takes them.
macro_rules! run_columns {
    () => {
        "id, workflow, version, state, input, output, failure, open_tasks, key, correlation, parent, deadline, \
         created_at, finished_at, fingerprint"
    };
}

mod add;
mod callers;
mod cancel;
mod claim;
mod end;
mod invariants;
mod keys;
mod letters;
mod limits;
mod prune;
mod queues;
mod read;
mod requests;
mod runs;
mod schedules;
mod store;
mod waits;
mod workers;

pub(super) use add::*;
pub(super) use callers::*;
pub(super) use cancel::*;
pub(super) use claim::*;
pub(super) use end::*;
pub(super) use invariants::INVARIANTS;
pub(super) use keys::*;
pub(super) use letters::*;
pub(super) use limits::*;
pub(super) use prune::*;
pub(super) use queues::*;
pub(super) use read::*;
pub(super) use requests::*;
pub(super) use runs::*;
pub(super) use schedules::*;
pub(super) use store::*;
pub(super) use waits::*;
pub(super) use workers::*;
