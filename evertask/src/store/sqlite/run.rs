//! Runs: what the end of a step does to its run, in the same transaction.

use rusqlite::params;

use super::batch::Batch;
use super::fault::Outcome;
use super::fleet::Held;
use super::insert::With;
use super::sql;
use super::value::{Id, run_state};
use crate::failure::FailureReport;
use crate::id::{RunId, TaskId, WorkerId};
use crate::store::rules::revival::loses;
use crate::store::rules::{self, goes_on, run_of};
use crate::store::{Follow, NewTask, NewWork, RunState, TaskState};

/// How a step ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended<'n> {
    pub(super) id: TaskId,
    pub(super) held: Held,
    pub(super) state: TaskState,
    pub(super) next: &'n Follow,
    /// Why, if it failed.
    pub(super) report: Option<&'n FailureReport>,
    /// Whether it is no item of an `each`, or the last of its items that lived.
    pub(super) is_last: bool,
}

/// What decides about what follows.
#[derive(Debug)]
pub(super) struct RunRow {
    pub(super) id: RunId,
    pub(super) workflow: String,
    pub(super) state: RunState,
    pub(super) open_tasks: i64,
    pub(super) has_output: bool,
    /// The last place that was given to a task that undoes a step.
    pub(super) undos: i64,
    /// How many have arrived at joins that are not complete.
    pub(super) arrivals: i64,
    /// Whether something follows its end.
    pub(super) carried: bool,
    /// Whether something was left out while it stopped that can't be taken up again.
    pub(super) lost: bool,
}

impl RunRow {
    /// How its tasks are added.
    pub(super) fn with<'w>(&self, worker: Option<WorkerId>) -> With<'w> {
        With { worker, paused: self.state == RunState::Paused, ..With::default() }
    }

    const fn counts(&self) -> (i64, i64, i64) {
        (self.open_tasks, self.undos, self.arrivals)
    }
}

impl Batch<'_, '_> {
    pub(super) fn run_row(&mut self, run: RunId) -> Outcome<Option<RunRow>> {
        let mut rows = self.hot.run_row.query([Id(run.uuid())])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(RunRow {
            id: run,
            workflow: row.get(0)?,
            state: run_state(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?,
            open_tasks: row.get(2)?,
            has_output: row.get(3)?,
            undos: row.get(4)?,
            arrivals: row.get(5)?,
            carried: row.get(6)?,
            lost: row.get(7)?,
        }))
    }

    /// A step has ended: adds what follows, as far as the run's state lets it, and ends the run with its last
    /// task.
    pub(super) fn advance(&mut self, run: RunId, worker: WorkerId, ended: &Ended<'_>) -> Outcome<()> {
        let next = ended.next;
        let Some(mut row) = self.run_row(run)?.filter(|row| !row.state.is_terminal()) else {
            // Only a file that was changed by hand has no such run; what the handler dispatched is kept.
            return self.add_others(run, worker, next);
        };
        if ended.held.undo {
            self.add_others(run, worker, next)?;
            return self.undone(row, ended);
        }
        let before = row.counts();
        row.open_tasks -= 1;
        if loses(next, Some((run, row.state)), ended.state, false) {
            self.lose(run)?;
            row.lost = true;
        }
        let has_succeeded = ended.state == TaskState::Succeeded;
        let mut failure = self.fails(&row, next)?;
        let follows = if goes_on(row.state) { failure.is_none() } else { ended.state == TaskState::Cancelled };
        // What has been done can be undone, whatever became of the run meanwhile.
        if let Some(undo) = next.undo.as_ref().filter(|_| has_succeeded) {
            self.register_undo(&mut row, undo)?;
        }
        for work in &next.work {
            if run_of(work) != Some(run) {
                self.add_other(work, worker)?;
            } else if follows {
                let fails = self.add_step(&mut row, work, Some(worker))?;
                failure = failure.or(fails);
            }
        }
        if !goes_on(row.state) {
            return self.keep_run(row, None);
        }
        if let Some(output) = &next.output {
            self.conn.prepare_cached(sql::SET_OUTPUT)?.execute(params![Id(run.uuid()), output])?;
            row.has_output = true;
        }
        if let Some(arrival) = &next.arrival
            && failure.is_none()
            && ended.is_last
            && (has_succeeded || arrival.settled)
        {
            failure = self.arrive(&mut row, arrival, ended.held.group, Some(worker))?;
        }
        if let Some(failure) = &failure {
            return self.fail_run(row, failure);
        }
        // A step with one that follows leaves the counts as they are.
        if row.counts() == before { Ok(()) } else { self.keep_run(row, None) }
    }

    /// Why a run that goes on fails with the end of this step, if it does.
    fn fails(&self, row: &RunRow, next: &Follow) -> Outcome<Option<FailureReport>> {
        if !goes_on(row.state) {
            return Ok(None);
        }
        if next.failure.is_some() {
            return Ok(next.failure.clone());
        }
        let tasks = next.work.iter().filter(|work| run_of(work) == Some(row.id)).flat_map(tasks_of);
        self.too_many(row.id, tasks)
    }

    /// Why these tasks can't be added to a run, if one of them would run too often.
    pub(super) fn too_many<'t>(
        &self,
        run: RunId,
        tasks: impl IntoIterator<Item = &'t NewTask>,
    ) -> Outcome<Option<FailureReport>> {
        let mut steps: Vec<(&str, u32)> = Vec::new();
        for task in tasks {
            let step = task.of.as_ref().and_then(|of| of.step.as_deref());
            let (Some(limit), Some(step)) = (task.visits, step) else { continue };
            let mut count = self.conn.prepare_cached(sql::VISITS)?;
            let mut there = 0_u32;
            for step in task.step_names() {
                let values = params![Id(run.uuid()), step, Id(task.id.uuid())];
                there = there.saturating_add(count.query_row(values, |row| row.get(0))?);
            }
            let more = steps.iter().find(|(name, _)| *name == step).map_or(0, |(_, more)| *more);
            if there.saturating_add(more) >= limit {
                return Ok(Some(rules::too_many_visits(run, step, limit)));
            }
            match steps.iter_mut().find(|(name, _)| *name == step) {
                Some((_, more)) => *more += 1,
                None => steps.push((step, 1)),
            }
        }
        Ok(None)
    }

    /// Adds a step to its run, and says why that fails, if it does.
    fn add_step(
        &mut self,
        row: &mut RunRow,
        work: &NewWork,
        worker: Option<WorkerId>,
    ) -> Outcome<Option<FailureReport>> {
        // One that goes on was asked before; one that is being stopped can't fail again.
        if !goes_on(row.state) && self.too_many(row.id, tasks_of(work))?.is_some() {
            return Ok(None);
        }
        let with = row.with(worker);
        row.open_tasks += match work {
            NewWork::Task(task) => i64::from(!self.add_task(task, &with)?.existing),
            NewWork::Run(run) => i64::from(!self.add_run(run, &with)?.existing),
            NewWork::Each(each) => self.add_each(each, &with)?,
        };
        match work {
            NewWork::Each(each) if each.tasks.is_empty() && goes_on(row.state) => match &each.arrival {
                Some(arrival) => self.arrive(row, arrival, None, worker),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Adds what is not of the run: what the handler dispatched belongs to the task.
    fn add_others(&mut self, run: RunId, worker: WorkerId, next: &Follow) -> Outcome<()> {
        for work in next.work.iter().filter(|work| run_of(work) != Some(run)) {
            self.add_other(work, worker)?;
        }
        Ok(())
    }

    /// Adds what is not of the run whose task has ended. A step of another run counts there, if that still lives.
    pub(super) fn add_other(&mut self, work: &NewWork, worker: WorkerId) -> Outcome<()> {
        let Some(run) = run_of(work) else {
            return self.add(work, &With { worker: Some(worker), ..With::default() }).map(drop);
        };
        let Some(mut row) = self.run_row(run)?.filter(|row| !row.state.is_terminal()) else { return Ok(()) };
        let before = row.counts();
        let too_many = if goes_on(row.state) { self.too_many(run, tasks_of(work))? } else { None };
        let failure = match too_many {
            Some(failure) => Some(failure),
            None => self.add_step(&mut row, work, Some(worker))?,
        };
        match &failure {
            Some(failure) => self.fail_run(row, failure),
            None if row.counts() == before => Ok(()),
            None => self.keep_run(row, None),
        }
    }

    /// What undoes a step has ended: the next one is ready, or, if it did not succeed, the run ends there.
    fn undone(&mut self, mut row: RunRow, ended: &Ended<'_>) -> Outcome<()> {
        row.open_tasks -= 1;
        if ended.state == TaskState::Succeeded {
            return self.keep_run(row, None);
        }
        let report = match ended.report {
            Some(report) => report.clone(),
            None => match self.standing(ended.id)? {
                Some(task) => task.report(),
                None => return Ok(()),
            },
        };
        self.undo_failed(row, ended.held.seq, &report)
    }
}

/// The tasks that this work adds to its run.
fn tasks_of(work: &NewWork) -> Vec<&NewTask> {
    match work {
        NewWork::Task(task) => vec![task],
        NewWork::Run(run) => run.step.iter().collect(),
        NewWork::Each(each) => each.tasks.iter().collect(),
    }
}
