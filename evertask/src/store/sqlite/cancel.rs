//! Cancelling: what waits ends now, what runs is told, and one of a cancel and a completion wins.

use std::collections::BTreeSet;

use super::batch::Batch;
use super::fault::Outcome;
use super::sql;
use super::value::{id, optional_id};
use super::writer::lives;
use crate::id::{RunId, TaskId, WorkId};
use crate::store::rules::Stop;
use crate::store::{CancelOutcome, Selection};

impl Batch<'_, '_> {
    /// Cancels what the selection names, in one transaction.
    pub(super) fn cancel(&mut self, selection: &Selection) -> Outcome<Vec<(WorkId, CancelOutcome)>> {
        match selection {
            Selection::Ids(ids) => ids.iter().map(|&id| Ok((id, self.cancel_work(id)?))).collect(),
            Selection::Correlation(value) => self.cancel_all(sql::RUNS_CORRELATED, sql::TASKS_CORRELATED, value),
            Selection::Name(value) => self.cancel_all(sql::RUNS_NAMED, sql::TASKS_NAMED, value),
        }
    }

    /// Runs first, then the tasks that are in none of them. All of it was alive when it was selected.
    fn cancel_all(&mut self, runs: &str, tasks: &str, value: &str) -> Outcome<Vec<(WorkId, CancelOutcome)>> {
        let mut find = self.conn.prepare_cached(runs)?;
        let runs: Vec<RunId> = find.query_map([value], |row| id(row, 0))?.collect::<Result<_, _>>()?;
        let mut find = self.conn.prepare_cached(tasks)?;
        let tasks = find.query_map([value], |row| Ok((id(row, 0)?, optional_id(row, 1)?)))?;
        let tasks: Vec<(TaskId, Option<RunId>)> = tasks.collect::<Result<_, _>>()?;
        let selected: BTreeSet<RunId> = runs.iter().copied().collect();
        let alone = tasks.into_iter().filter(|(_, run)| run.is_none_or(|run| !selected.contains(&run)));
        let work = runs.into_iter().map(WorkId::from).chain(alone.map(|(task, _)| task.into()));
        work.map(|id| match self.cancel_work(id)? {
            // The cancel of another step of its run has ended it a moment ago.
            CancelOutcome::AlreadyFinished => Ok((id, CancelOutcome::Cancelled)),
            outcome => Ok((id, outcome)),
        })
        .collect()
    }

    fn cancel_work(&mut self, id: WorkId) -> Outcome<CancelOutcome> {
        match id {
            WorkId::Task(task) => self.cancel_task(task),
            WorkId::Run(run) => self.cancel_run(run),
        }
    }

    fn cancel_task(&mut self, task: TaskId) -> Outcome<CancelOutcome> {
        let Some(live) = self.standing(task)? else { return Ok(CancelOutcome::NotFound) };
        let stop = self.stop_alone(&live)?;
        self.follow_up()?;
        Ok(match stop {
            Stop::Nothing => CancelOutcome::AlreadyFinished,
            Stop::End => CancelOutcome::Cancelled,
            Stop::Inner if !lives(self.conn, task.into())? => CancelOutcome::Cancelled,
            Stop::Route | Stop::Tell | Stop::Inner => CancelOutcome::Requested,
        })
    }

    fn cancel_run(&mut self, run: RunId) -> Outcome<CancelOutcome> {
        let before = self.stop_run(run)?;
        self.follow_up()?;
        Ok(match before {
            None => CancelOutcome::NotFound,
            Some(state) if state.is_terminal() => CancelOutcome::AlreadyFinished,
            Some(_) if !lives(self.conn, run.into())? => CancelOutcome::Cancelled,
            Some(_) => CancelOutcome::Requested,
        })
    }
}
