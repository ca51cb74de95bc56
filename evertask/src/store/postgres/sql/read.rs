//! Reading.

/// One task.
pub(in crate::store::postgres) const TASK: &str = concat!("SELECT ", task_columns!(), " FROM task WHERE id = $1");
/// One run.
pub(in crate::store::postgres) const RUN: &str = concat!("SELECT ", run_columns!(), " FROM run WHERE id = $1");
/// Tasks that match, the oldest first, a page at a time.
pub(in crate::store::postgres) const TASKS: &str = concat!(
    "SELECT ",
    task_columns!(),
    " FROM task WHERE ($1::text[] IS NULL OR state = ANY($1)) AND ($2::text IS NULL OR name = $2) \
     AND ($3::text IS NULL OR queue = $3) AND ($4::uuid IS NULL OR run = $4) \
     AND ($5::text IS NULL OR correlation = $5) \
     AND ($6::uuid IS NULL OR seq > (SELECT seq FROM task AS earlier WHERE earlier.id = $6)) ORDER BY seq LIMIT $7"
);
/// Runs that match, the oldest first, a page at a time.
pub(in crate::store::postgres) const RUNS: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM run WHERE ($1::text[] IS NULL OR state = ANY($1)) AND ($2::text IS NULL OR workflow = $2) \
     AND ($3::text IS NULL OR correlation = $3) \
     AND ($4::uuid IS NULL OR seq > (SELECT seq FROM run AS earlier WHERE earlier.id = $4)) ORDER BY seq LIMIT $5"
);
/// A task's lines.
pub(in crate::store::postgres) const LOG: &str = "SELECT at, fence, text FROM log WHERE task = $1 ORDER BY line";
/// A task's attempts that did not succeed.
pub(in crate::store::postgres) const ATTEMPTS: &str =
    "SELECT fence, at, report FROM attempt WHERE task = $1 ORDER BY fence";
/// The payload of a run, for an arm that names it.
pub(in crate::store::postgres) const RUN_INPUT: &str = "SELECT input FROM run WHERE id = $1";
/// Which of these have ended, or are not there.
pub(in crate::store::postgres) const ENDED: &str = "\
    SELECT work FROM unnest($1::uuid[]) AS asked (work) \
    WHERE NOT EXISTS (SELECT 1 FROM task WHERE id = work AND finished_at IS NULL) \
    AND NOT EXISTS (SELECT 1 FROM run WHERE id = work AND finished_at IS NULL)";
