//! Runs: what the end of a step does to its run, in the same transaction.

use sqlx::{Row as _, query};
use uuid::Uuid;

use super::batch::Batch;
use super::fault::Outcome;
use super::fleet::Held;
use super::insert::With;
use super::sql;
use super::value::{id, names, optional_id, run_state, string};
use crate::failure::FailureReport;
use crate::id::{RunId, TaskId, WorkerId};
use crate::store::rules::revival::{RunFacts, loses};
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

/// A run whose row this transaction has, as it will be written.
#[derive(Debug, Clone)]
// They are columns, and one of them is ours.
#[allow(clippy::struct_excessive_bools)]
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
    pub(super) end_routed: bool,
    /// The task of another run that waits for this one's end.
    pub(super) step: Option<TaskId>,
    /// Whether it has had any signals.
    pub(super) signalled: bool,
    /// Whether something was left out while it stopped that can't be taken up again.
    pub(super) lost: bool,
    pub(super) finished_at: Option<i64>,
    pub(super) undo_failed: Option<Uuid>,
    /// What is new: its output, and why it has failed if nothing has failed it before.
    pub(super) output: Option<Vec<u8>>,
    pub(super) failure: Option<String>,
    /// Whether the stored row is older than this.
    changed: bool,
}

impl RunRow {
    /// How its tasks are added.
    pub(super) fn with<'w>(&self, worker: Option<WorkerId>) -> With<'w> {
        With { worker, paused: self.state == RunState::Paused, ..With::default() }
    }

    /// Whether something follows its end.
    pub(super) const fn carried(&self) -> bool {
        self.end_routed || self.step.is_some()
    }

    /// What decides whether it can be taken up again. `undone` says whether anything of it was undone.
    pub(super) const fn facts(&self, undone: bool) -> RunFacts {
        let is_step = self.step.is_some();
        RunFacts { state: self.state, end_routed: self.end_routed, is_step, lost: self.lost, undone }
    }

    const fn counts(&self) -> (i64, i64, i64) {
        (self.open_tasks, self.undos, self.arrivals)
    }
}

impl Batch<'_> {
    /// Locks runs, in order, if this transaction has not yet.
    pub(super) async fn lock_runs(&mut self, runs: impl IntoIterator<Item = RunId>) -> Outcome<()> {
        let runs: Vec<Uuid> = runs.into_iter().filter(|run| !self.runs.contains_key(run)).map(RunId::uuid).collect();
        if runs.is_empty() {
            return Ok(());
        }
        let rows = self.link.all(query(sql::RUN_ROWS).bind(&runs)).await?;
        // One that is not there is not asked for again.
        self.runs.extend(runs.into_iter().map(|run| (RunId::from(run), None)));
        for row in rows {
            let run = RunRow {
                id: id(&row, 0)?,
                workflow: string(&row, 1)?,
                state: run_state(row.try_get(2)?)?,
                open_tasks: row.try_get(3)?,
                has_output: row.try_get(4)?,
                undos: row.try_get(5)?,
                arrivals: row.try_get(6)?,
                end_routed: row.try_get(7)?,
                step: optional_id(&row, 8)?,
                signalled: row.try_get(9)?,
                lost: row.try_get(10)?,
                finished_at: None,
                undo_failed: None,
                output: None,
                failure: None,
                changed: false,
            };
            self.runs.insert(run.id, Some(run));
        }
        Ok(())
    }

    /// The run as it stands in this transaction, which has its row from now on.
    pub(super) async fn run_row(&mut self, run: RunId) -> Outcome<Option<RunRow>> {
        self.lock_runs([run]).await?;
        Ok(self.runs.get(&run).cloned().flatten())
    }

    /// The state of a task's run, if it has one.
    pub(super) async fn state_of(&mut self, run: Option<RunId>) -> Outcome<Option<RunState>> {
        let Some(run) = run else { return Ok(None) };
        self.lock_runs([run]).await?;
        Ok(self.runs.get(&run).and_then(|row| row.as_ref()).map(|row| row.state))
    }

    /// The run has changed; it is written with the others.
    pub(super) fn put_run(&mut self, mut row: RunRow) {
        row.changed = true;
        // What was done meanwhile to signals of it was noted in the row itself.
        row.signalled |= self.runs.get(&row.id).and_then(Option::as_ref).is_some_and(|kept| kept.signalled);
        self.runs.insert(row.id, Some(row));
    }

    /// Writes the runs that have changed.
    pub(super) async fn flush_runs(&mut self) -> Outcome<()> {
        let changed: Vec<&mut RunRow> = self.runs.values_mut().flatten().filter(|row| row.changed).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let set = query(sql::SET_RUNS)
            .bind(changed.iter().map(|row| row.id.uuid()).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.state.as_str()).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.open_tasks).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.undos).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.arrivals).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.signalled).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.output.as_deref()).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.failure.as_deref()).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.finished_at).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.undo_failed).collect::<Vec<_>>())
            .bind(changed.iter().map(|row| row.lost).collect::<Vec<_>>());
        self.link.execute(set).await?;
        for row in changed {
            (row.changed, row.output) = (false, None);
        }
        Ok(())
    }

    /// What the end of a step does to its run.
    pub(super) async fn advance(&mut self, run: RunId, worker: WorkerId, ended: &Ended<'_>) -> Outcome<()> {
        let next = ended.next;
        let Some(mut row) = self.run_row(run).await?.filter(|row| !row.state.is_terminal()) else {
            // Only a table that was changed by hand has no such run; what the handler dispatched is kept.
            return self.add_others(run, worker, next).await;
        };
        if ended.held.undo {
            self.add_others(run, worker, next).await?;
            return self.undone(row, ended).await;
        }
        let before = row.counts();
        row.open_tasks -= 1;
        row.lost |= loses(next, Some((run, row.state)), ended.state, false);
        let has_succeeded = ended.state == TaskState::Succeeded;
        let mut failure = self.fails(&row, next).await?;
        let follows = if goes_on(row.state) { failure.is_none() } else { ended.state == TaskState::Cancelled };
        // What has been done can be undone, whatever became of the run meanwhile.
        if let Some(undo) = next.undo.as_ref().filter(|_| has_succeeded) {
            self.register_undo(&mut row, undo).await?;
        }
        for work in &next.work {
            if run_of(work) != Some(run) {
                self.add_other(work, worker).await?;
            } else if follows {
                let fails = self.add_step(&mut row, work, Some(worker)).await?;
                failure = failure.or(fails);
            }
        }
        if !goes_on(row.state) {
            return self.keep_run(row, None).await;
        }
        let mut changed = false;
        if let Some(output) = &next.output {
            (row.output, row.has_output, changed) = (Some(output.clone()), true, true);
        }
        if let Some(arrival) = &next.arrival
            && failure.is_none()
            && ended.is_last
            && (has_succeeded || arrival.settled)
        {
            failure = self.arrive(&mut row, arrival, ended.held.group, Some(worker)).await?;
        }
        if let Some(failure) = &failure {
            return self.fail_run(row, failure).await;
        }
        // A step with one that follows leaves the counts as they are.
        if row.counts() == before && !changed { Ok(()) } else { self.keep_run(row, None).await }
    }

    /// Why a run that goes on fails with the end of this step, if it does.
    async fn fails(&mut self, row: &RunRow, next: &Follow) -> Outcome<Option<FailureReport>> {
        if !goes_on(row.state) {
            return Ok(None);
        }
        if next.failure.is_some() {
            return Ok(next.failure.clone());
        }
        let tasks: Vec<_> = next.work.iter().filter(|work| run_of(work) == Some(row.id)).flat_map(tasks_of).collect();
        self.too_many(row.id, tasks).await
    }

    /// Why these tasks can't be added to a run, if one of them would run too often.
    pub(super) async fn too_many(
        &mut self,
        run: RunId,
        tasks: impl IntoIterator<Item = &NewTask>,
    ) -> Outcome<Option<FailureReport>> {
        let mut steps: Vec<(&str, u32)> = Vec::new();
        for task in tasks {
            let step = task.of.as_ref().and_then(|of| of.step.as_deref());
            let (Some(limit), Some(step)) = (task.visits, step) else { continue };
            self.flush_tasks().await?;
            let count = query(sql::VISITS).bind(run.uuid()).bind(names(task.step_names())).bind(task.id.uuid());
            let there: i64 = self.link.one(count).await?.try_get(0)?;
            let there = u32::try_from(there).unwrap_or(u32::MAX);
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
    async fn add_step(
        &mut self,
        row: &mut RunRow,
        work: &NewWork,
        worker: Option<WorkerId>,
    ) -> Outcome<Option<FailureReport>> {
        // One that goes on was asked before; one that is being stopped can't fail again.
        if !goes_on(row.state) && self.too_many(row.id, tasks_of(work)).await?.is_some() {
            return Ok(None);
        }
        let with = row.with(worker);
        row.open_tasks += match work {
            NewWork::Task(task) => i64::from(!self.add_task(task, &with).await?.existing),
            NewWork::Run(run) => i64::from(!self.add_run(run, &with).await?.existing),
            NewWork::Each(each) => self.add_each(each, &with).await?,
        };
        match work {
            NewWork::Each(each) if each.tasks.is_empty() && goes_on(row.state) => match &each.arrival {
                Some(arrival) => self.arrive(row, arrival, None, worker).await,
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Adds what is not of the run: what the handler dispatched belongs to the task.
    async fn add_others(&mut self, run: RunId, worker: WorkerId, next: &Follow) -> Outcome<()> {
        for work in next.work.iter().filter(|work| run_of(work) != Some(run)) {
            self.add_other(work, worker).await?;
        }
        Ok(())
    }

    /// Adds what is not of the run whose task has ended. A step of another run counts there, if that still lives.
    pub(super) async fn add_other(&mut self, work: &NewWork, worker: WorkerId) -> Outcome<()> {
        let Some(run) = run_of(work) else {
            return self.add(work, &With { worker: Some(worker), ..With::default() }).await.map(drop);
        };
        let Some(mut row) = self.run_row(run).await?.filter(|row| !row.state.is_terminal()) else { return Ok(()) };
        let before = row.counts();
        let too_many = if goes_on(row.state) { self.too_many(run, tasks_of(work)).await? } else { None };
        let failure = match too_many {
            Some(failure) => Some(failure),
            None => self.add_step(&mut row, work, Some(worker)).await?,
        };
        match &failure {
            Some(failure) => self.fail_run(row, failure).await,
            None if row.counts() == before => Ok(()),
            None => self.keep_run(row, None).await,
        }
    }

    /// What undoes a step has ended: the next one is ready, or, if it did not succeed, the run ends there.
    async fn undone(&mut self, mut row: RunRow, ended: &Ended<'_>) -> Outcome<()> {
        row.open_tasks -= 1;
        if ended.state == TaskState::Succeeded {
            return self.keep_run(row, None).await;
        }
        let report = match ended.report {
            Some(report) => report.clone(),
            None => match self.standing(ended.id).await? {
                Some(task) => task.report(),
                None => return Ok(()),
            },
        };
        self.undo_failed(row, ended.id, &report).await
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
