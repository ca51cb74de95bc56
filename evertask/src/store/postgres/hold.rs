//! Runs that are held: what runs of them ends and is kept, and nothing new of them starts.

use sqlx::{Row as _, query};

use super::batch::Batch;
use super::fault::Outcome;
use super::sql;
use crate::id::{RunId, TaskId};
use crate::store::RunState;

impl Batch<'_> {
    /// Holds a run. Says whether it was running.
    pub(super) async fn pause(&mut self, run: RunId) -> Outcome<bool> {
        let running = self.run_row(run).await?.filter(|row| row.state == RunState::Running);
        let Some(mut row) = running else { return Ok(false) };
        row.state = RunState::Paused;
        self.put_run(row);
        self.flush().await?;
        for row in self.link.all(query(sql::HOLD_TASKS).bind(run.uuid())).await? {
            self.freed.extend(row.try_get::<Option<String>, _>(0)?);
        }
        Ok(true)
    }

    /// Lets a held run go on. Says whether it was held.
    pub(super) async fn resume(&mut self, run: RunId) -> Outcome<bool> {
        let paused = self.run_row(run).await?.filter(|row| row.state == RunState::Paused);
        let Some(mut row) = paused else { return Ok(false) };
        row.state = RunState::Running;
        self.put_run(row);
        self.flush().await?;
        self.link.execute(query(sql::RELEASE_TASKS).bind(run.uuid()).bind(self.now.as_millis())).await?;
        self.stir();
        Ok(true)
    }

    /// A task is ready again; if its run is held, it waits instead.
    pub(super) async fn hold_task(&mut self, task: TaskId, run: Option<RunId>) -> Outcome<()> {
        if self.state_of(run).await? == Some(RunState::Paused) {
            if let Some(row) = self.link.first(query(sql::HOLD_TASK).bind(task.uuid())).await? {
                self.freed.extend(row.try_get::<Option<String>, _>(0)?);
            }
        } else {
            self.stir();
        }
        Ok(())
    }
}
