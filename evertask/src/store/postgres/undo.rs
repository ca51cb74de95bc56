//! Compensation: what undoes the steps of a run waits until the run is stopped, and then runs one at a time,
//! the newest first.

use sqlx::query;

use super::batch::Batch;
use super::fault::Outcome;
use super::insert::With;
use super::run::RunRow;
use super::sql;
use super::value::id;
use crate::failure::FailureReport;
use crate::id::{RunId, TaskId};
use crate::store::{NewTask, RunState, Wait};

impl Batch<'_> {
    /// A step has succeeded that can be undone.
    pub(super) async fn register_undo(&mut self, row: &mut RunRow, undo: &NewTask) -> Outcome<()> {
        let with = With { wait: Some(Wait::Undo), undo: Some(row.undos + 1), ..With::default() };
        if !self.add_task(undo, &with).await?.existing {
            row.undos += 1;
        }
        Ok(())
    }

    /// The newest that waits is ready. Says whether there is one.
    pub(super) async fn next_undo(&mut self, run: RunId) -> Outcome<bool> {
        self.flush_tasks().await?;
        self.stir();
        Ok(self.link.execute(query(sql::NEXT_UNDO).bind(run.uuid()).bind(self.now.as_millis())).await? > 0)
    }

    /// It could not be undone: the run ends there, until somebody goes on.
    pub(super) async fn undo_failed(&mut self, mut row: RunRow, task: TaskId, report: &FailureReport) -> Outcome<()> {
        row.state = RunState::Compensating;
        if row.open_tasks > 0 {
            // Another run has added to this one meanwhile.
            return self.keep_run(row, Some(report)).await;
        }
        self.end_run(row, Some(report), Some(task)).await
    }

    /// Goes on with a compensation that has stopped.
    pub(super) async fn resume_undo(&mut self, run: RunId) -> Outcome<bool> {
        self.flush().await?;
        let found = self.link.first(query(sql::UNDO_FAILED).bind(run.uuid())).await?;
        let Some(failed) = found.map(|row| id::<TaskId>(&row, 0)).transpose()? else { return Ok(false) };
        let now = self.now.as_millis();
        self.link.execute(query(sql::RESUME_UNDO).bind(failed.uuid()).bind(now)).await?;
        self.link.execute(query(sql::RESUME_COMPENSATION).bind(run.uuid())).await?;
        self.runs.remove(&run);
        self.stir();
        Ok(true)
    }

    /// A run has succeeded: nothing of it is undone.
    pub(super) async fn drop_undos(&mut self, run: RunId) -> Outcome<()> {
        self.flush_tasks().await?;
        self.link.execute(query(sql::DROP_UNDOS).bind(run.uuid())).await?;
        Ok(())
    }

    /// A run has succeeded that is a step of another: that one undoes it, before what it did earlier.
    pub(super) async fn move_undos(&mut self, run: RunId, undos: i64, outer: RunId) -> Outcome<()> {
        let Some(mut outer) = self.run_row(outer).await?.filter(|outer| !outer.state.is_terminal()) else {
            return self.drop_undos(run).await;
        };
        self.flush_tasks().await?;
        let values = query(sql::MOVE_UNDOS).bind(run.uuid()).bind(outer.id.uuid()).bind(outer.undos);
        self.link.execute(values).await?;
        outer.undos += undos;
        self.put_run(outer);
        Ok(())
    }
}
