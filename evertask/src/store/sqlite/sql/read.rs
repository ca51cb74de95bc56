//! Reading.

/// One task.
pub(in crate::store::sqlite) const TASK: &str = concat!("SELECT ", task_columns!(), " FROM task WHERE id = ?1");
/// One run.
pub(in crate::store::sqlite) const RUN: &str = concat!("SELECT ", run_columns!(), " FROM run WHERE id = ?1");
/// The head of a listing; `read` adds what the filter says.
pub(in crate::store::sqlite) const TASKS: &str = concat!("SELECT ", task_columns!(), " FROM task WHERE 1");
/// The head of a listing; `read` adds what the filter says.
pub(in crate::store::sqlite) const RUNS: &str = concat!("SELECT ", run_columns!(), " FROM run WHERE 1");
/// The oldest first.
pub(in crate::store::sqlite) const PAGE: &str = " ORDER BY seq LIMIT ?";
/// The next page.
pub(in crate::store::sqlite) const AFTER_TASK: &str = " AND seq > (SELECT seq FROM task WHERE id = ?)";
/// The next page.
pub(in crate::store::sqlite) const AFTER_RUN: &str = " AND seq > (SELECT seq FROM run WHERE id = ?)";
/// A task's lines.
pub(in crate::store::sqlite) const LOG: &str =
    "SELECT at, log.fence, text FROM log JOIN task ON task.seq = log.task WHERE task.id = ?1 ORDER BY line";
/// A task's attempts that did not succeed.
pub(in crate::store::sqlite) const ATTEMPTS: &str = "\
    SELECT attempt.fence, at, report FROM attempt JOIN task ON task.seq = attempt.task \
    WHERE task.id = ?1 ORDER BY attempt.fence";
/// The payload of a run, for an arm that names it.
pub(in crate::store::sqlite) const RUN_INPUT: &str = "SELECT input FROM run WHERE id = ?1";
/// Whether it lives still.
pub(in crate::store::sqlite) const TASK_LIVES: &str = "SELECT 1 FROM task WHERE id = ?1 AND finished_at IS NULL";
/// Whether it lives still.
pub(in crate::store::sqlite) const RUN_LIVES: &str = "SELECT 1 FROM run WHERE id = ?1 AND finished_at IS NULL";
