//! Runs that are steps of other runs. What one run does to another waits until the first is written, so that
//! no two are changed at a time, however deep they lie in each other.

use sqlx::{Row as _, query};

use super::batch::Batch;
use super::fault::Outcome;
use super::stop::Live;
use super::value::id;
use super::{read, sql};
use crate::id::{RunId, TaskId};
use crate::store::RunState;
use crate::store::rules;

/// What is still to be done to another run.
#[derive(Debug, Clone, Copy)]
pub(super) enum After {
    /// Its outer run was stopped: it is cancelled.
    Cancel(RunId),
    /// It has ended: the step goes on that waits for it. So many places it gave to what undoes its steps.
    Wake { run: RunId, step: TaskId, undos: i64 },
}

impl Batch<'_> {
    /// Does what is still to be done to other runs.
    pub(super) async fn follow_up(&mut self) -> Outcome<()> {
        while let Some(after) = self.after.pop() {
            match after {
                After::Cancel(run) => drop(self.stop_run(run).await?),
                After::Wake { run, step, undos } => self.wake_step(run, step, undos).await?,
            }
        }
        Ok(())
    }

    async fn wake_step(&mut self, run: RunId, step: TaskId, undos: i64) -> Outcome<()> {
        self.flush().await?;
        let Some(ended) = read::run_of(&mut self.link, run).await? else { return Ok(()) };
        let waiting = self.waiting_step(step).await?;
        if undos > 0 && ended.state == RunState::Succeeded {
            match waiting.as_ref().and_then(|(task, _)| task.run) {
                Some(outer) => self.move_undos(run, undos, outer).await?,
                None => self.drop_undos(run).await?,
            }
        }
        let Some((task, is_cancelled)) = waiting else { return Ok(()) };
        if is_cancelled && !task.cancel_routed {
            self.end_waiting(&[task.id]).await?;
            return self.stopped_alone(&task).await;
        }
        let now = self.now.as_millis();
        let give = query(sql::GIVE_END).bind(task.id.uuid()).bind(now).bind(rules::end_of_run(&ended));
        self.link.execute(give).await?;
        self.hold_task(task.id, task.run).await
    }

    async fn waiting_step(&mut self, step: TaskId) -> Outcome<Option<(Live, bool)>> {
        self.lock_run_of(step).await?;
        let Some(row) = self.link.first(query(sql::WAITING_STEP).bind(step.uuid())).await? else { return Ok(None) };
        Ok(Some((Live::read(&row)?, row.try_get(Live::COLUMNS)?)))
    }

    /// The run that a step waits for.
    pub(super) async fn inner_run(&mut self, step: TaskId) -> Outcome<Option<RunId>> {
        self.flush_runs().await?;
        self.link.first(query(sql::INNER_RUN).bind(step.uuid())).await?.map(|row| id(&row, 0)).transpose()
    }
}
