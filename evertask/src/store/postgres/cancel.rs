//! Cancelling: what waits ends now, what runs is told, and one of a cancel and a completion wins.

use std::collections::BTreeSet;

use sqlx::query;

use super::batch::Batch;
use super::fault::Outcome;
use super::value::{id, optional_id, text};
use super::{read, sql};
use crate::id::{RunId, TaskId, WorkId};
use crate::store::rules::Stop;
use crate::store::{CancelOutcome, Selection};

impl Batch<'_> {
    /// Cancels what the selection names, in one transaction.
    pub(super) async fn cancel(&mut self, selection: &Selection) -> Outcome<Vec<(WorkId, CancelOutcome)>> {
        match selection {
            Selection::Ids(ids) => {
                let mut outcomes = Vec::with_capacity(ids.len());
                for &id in ids {
                    outcomes.push((id, self.cancel_work(id).await?));
                }
                Ok(outcomes)
            }
            Selection::Correlation(value) => self.cancel_all(sql::RUNS_CORRELATED, sql::TASKS_CORRELATED, value).await,
            Selection::Name(value) => self.cancel_all(sql::RUNS_NAMED, sql::TASKS_NAMED, value).await,
        }
    }

    /// Runs first, then the tasks that are in none of them. All of it was alive when it was selected.
    async fn cancel_all(
        &mut self,
        runs: &'static str,
        tasks: &'static str,
        value: &str,
    ) -> Outcome<Vec<(WorkId, CancelOutcome)>> {
        self.flush().await?;
        let value = text(value);
        let rows = self.link.all(query(runs).bind(&value)).await?;
        let runs: Vec<RunId> = rows.iter().map(|row| id(row, 0)).collect::<Outcome<_>>()?;
        let rows = self.link.all(query(tasks).bind(&value)).await?;
        let tasks: Vec<(TaskId, Option<RunId>)> =
            rows.iter().map(|row| Ok((id(row, 0)?, optional_id(row, 1)?))).collect::<Outcome<_>>()?;
        let selected: BTreeSet<RunId> = runs.iter().copied().collect();
        self.lock_runs(runs.iter().copied().chain(tasks.iter().filter_map(|(_, run)| *run))).await?;
        let alone = tasks.into_iter().filter(|(_, run)| run.is_none_or(|run| !selected.contains(&run)));
        let mut outcomes = Vec::new();
        for id in runs.into_iter().map(WorkId::from).chain(alone.map(|(task, _)| task.into())) {
            outcomes.push(match self.cancel_work(id).await? {
                // The cancel of another step of its run has ended it a moment ago.
                CancelOutcome::AlreadyFinished => (id, CancelOutcome::Cancelled),
                outcome => (id, outcome),
            });
        }
        Ok(outcomes)
    }

    async fn cancel_work(&mut self, id: WorkId) -> Outcome<CancelOutcome> {
        match id {
            WorkId::Task(task) => self.cancel_task(task).await,
            WorkId::Run(run) => self.cancel_run(run).await,
        }
    }

    async fn cancel_task(&mut self, task: TaskId) -> Outcome<CancelOutcome> {
        let Some(live) = self.standing(task).await? else { return Ok(CancelOutcome::NotFound) };
        let stop = self.stop_alone(&live).await?;
        self.follow_up().await?;
        Ok(match stop {
            Stop::Nothing => CancelOutcome::AlreadyFinished,
            Stop::End => CancelOutcome::Cancelled,
            Stop::Inner if !self.lives(task.into()).await? => CancelOutcome::Cancelled,
            Stop::Route | Stop::Tell | Stop::Inner => CancelOutcome::Requested,
        })
    }

    async fn cancel_run(&mut self, run: RunId) -> Outcome<CancelOutcome> {
        let before = self.stop_run(run).await?;
        self.follow_up().await?;
        Ok(match before {
            None => CancelOutcome::NotFound,
            Some(state) if state.is_terminal() => CancelOutcome::AlreadyFinished,
            Some(_) if !self.lives(run.into()).await? => CancelOutcome::Cancelled,
            Some(_) => CancelOutcome::Requested,
        })
    }

    async fn lives(&mut self, id: WorkId) -> Outcome<bool> {
        self.flush().await?;
        Ok(read::ended(&mut self.link, &[id]).await?.is_empty())
    }
}
