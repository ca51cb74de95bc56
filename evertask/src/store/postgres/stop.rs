//! Stopping tasks: what waits ends, what runs is told, and what waits for a run ends when that has ended.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{Row as _, query};
use uuid::Uuid;

use super::batch::Batch;
use super::fault::Outcome;
use super::group::Group;
use super::inner::After;
use super::run::RunRow;
use super::sql;
use super::value::{count, id, optional_id, string, task_state, wait};
use crate::failure::FailureReport;
use crate::id::{RunId, TaskId, WorkerId};
use crate::store::rules::{self, Stop, goes_on};
use crate::store::{Claim, RunState, TaskState, Wait};

/// A task that is to be stopped.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) id: TaskId,
    pub(super) state: TaskState,
    pub(super) wait: Option<Wait>,
    pub(super) cancel_routed: bool,
    worker: Option<WorkerId>,
    fence: i64,
    pub(super) run: Option<RunId>,
    pub(super) group: Option<Uuid>,
    pub(super) undo: bool,
    name: String,
    failures: u32,
    cancel_requested: bool,
    slot: Option<String>,
}

impl Live {
    /// How many columns it has.
    pub(super) const COLUMNS: usize = 13;

    pub(super) fn read(row: &PgRow) -> Outcome<Self> {
        Ok(Self {
            id: id(row, 0)?,
            state: task_state(row.try_get(1)?)?,
            wait: wait(row, 2)?,
            cancel_routed: row.try_get(3)?,
            worker: optional_id(row, 4)?,
            fence: row.try_get(5)?,
            run: optional_id(row, 6)?,
            group: optional_id(row, 7)?,
            undo: row.try_get(8)?,
            name: string(row, 9)?,
            failures: count(row, 10)?,
            cancel_requested: row.try_get(11)?,
            slot: row.try_get(12)?,
        })
    }

    /// Why its run failed, if it was cancelled alone.
    pub(super) fn report(&self) -> FailureReport {
        rules::step_cancelled(&self.name, self.id, self.failures)
    }
}

impl Batch<'_> {
    /// The run fails: what waits ends, what runs is told to stop, and nothing follows.
    pub(super) async fn fail_run(&mut self, mut row: RunRow, failure: &FailureReport) -> Outcome<()> {
        row.state = RunState::Compensating;
        let live = self.live_tasks(row.id).await?;
        row.lost |= self.mark_stopped(&live).await?;
        row.open_tasks -= self.stop_tasks(&live).await?;
        self.keep_run(row, Some(failure)).await
    }

    /// Cancels a run, if it has not ended. Says in which state it was.
    pub(super) async fn stop_run(&mut self, run: RunId) -> Outcome<Option<RunState>> {
        let Some(mut row) = self.run_row(run).await? else { return Ok(None) };
        let before = row.state;
        if !goes_on(before) {
            // One that is being stopped is left alone: what its `on_cancel` arms brought is not stopped with it.
            return Ok(Some(before));
        }
        row.state = RunState::Cancelling;
        let live = self.live_tasks(run).await?;
        row.open_tasks -= self.stop_tasks(&live).await?;
        self.keep_run(row, None).await?;
        Ok(Some(before))
    }

    /// What a run's failure stops can be again what it was, apart from what was to be cancelled anyway, and runs that
    /// are steps. Says whether there is any of those: then the run can't be taken up again.
    async fn mark_stopped(&mut self, live: &[Live]) -> Outcome<bool> {
        let is_lost = |task: &&Live| task.cancel_requested || task.wait == Some(Wait::Run);
        let (lost, marked): (Vec<&Live>, Vec<&Live>) = live.iter().partition(is_lost);
        if !marked.is_empty() {
            let ids: Vec<Uuid> = marked.iter().map(|task| task.id.uuid()).collect();
            self.link.execute(query(sql::MARK_STOPPED).bind(ids)).await?;
        }
        Ok(!lost.is_empty())
    }

    /// Stops these tasks of a run, and says how many have ended.
    async fn stop_tasks(&mut self, live: &[Live]) -> Outcome<i64> {
        let (mut ended, mut groups) = (Vec::new(), BTreeMap::<Uuid, (i64, i64)>::new());
        for task in live {
            let stop = self.stop(task).await?;
            if let Some((group, has_ended, had_no_turn)) = leaves(task, stop) {
                let counts = groups.entry(group).or_default();
                *counts = (counts.0 + i64::from(has_ended), counts.1 + i64::from(had_no_turn));
            }
            if stop == Stop::End {
                ended.push(task.id);
            }
        }
        // However many they are.
        for (group, (ended, turned)) in groups {
            self.all_leave_group(group, ended, turned).await?;
        }
        self.end_waiting(&ended).await?;
        Ok(i64::try_from(ended.len()).unwrap_or(i64::MAX))
    }

    async fn live_tasks(&mut self, run: RunId) -> Outcome<Vec<Live>> {
        self.flush_tasks().await?;
        let rows = self.link.all(query(sql::LIVE_OF_RUN).bind(run.uuid())).await?;
        rows.iter().map(Live::read).collect()
    }

    /// Locks the run of a task, which goes before its own row.
    pub(super) async fn lock_run_of(&mut self, task: TaskId) -> Outcome<()> {
        self.flush_tasks().await?;
        let row = self.link.first(query(sql::RUN_OF_TASK).bind(task.uuid())).await?;
        let run: Option<RunId> = row.map(|row| optional_id(&row, 0)).transpose()?.flatten();
        self.lock_runs(run).await
    }

    /// A task as it stands, whatever its state. Nobody else changes it from here on.
    pub(super) async fn standing(&mut self, task: TaskId) -> Outcome<Option<Live>> {
        self.lock_run_of(task).await?;
        let row = self.link.first(query(sql::CANCEL_ROW).bind(task.uuid())).await?;
        row.map(|row| Live::read(&row)).transpose()
    }

    /// Stops one task, without what that does to its group and its run. Says how; one that is to end does not yet.
    async fn stop(&mut self, task: &Live) -> Outcome<Stop> {
        let mut stop = rules::stop(task.state, task.wait, task.cancel_routed);
        if stop == Stop::Inner {
            match self.inner_run(task.id).await? {
                Some(inner) => {
                    self.link.execute(query(sql::CANCEL_STEP).bind(task.id.uuid())).await?;
                    self.after.push(After::Cancel(inner));
                }
                // Only a table that was changed by hand has none.
                None => stop = rules::stop(TaskState::Waiting, None, task.cancel_routed),
            }
        }
        match stop {
            // It was about to take a slot, perhaps.
            Stop::End if task.state == TaskState::Ready => self.freed.extend(task.slot.clone()),
            Stop::End | Stop::Nothing | Stop::Inner => {}
            Stop::Tell => self.tell_running(task).await?,
            Stop::Route => {
                let route = query(sql::CANCEL_ROUTED).bind(task.id.uuid()).bind(self.now.as_millis());
                self.link.execute(route).await?;
                self.stir();
            }
        }
        Ok(stop)
    }

    /// The group of a task that was stopped no longer counts it as before.
    async fn leave_stopped(&mut self, task: &Live, stop: Stop) -> Outcome<Option<Group>> {
        match leaves(task, stop) {
            Some((group, has_ended, had_no_turn)) => self.leave_group(group, has_ended, had_no_turn).await.map(Some),
            None => Ok(None),
        }
    }

    /// A running task is to stop. Whether it ends first is decided by the fence.
    async fn tell_running(&mut self, task: &Live) -> Outcome<()> {
        let told = self.link.execute(query(sql::CANCEL_RUNNING).bind(task.id.uuid())).await? > 0;
        if told && let Some(worker) = task.worker {
            self.effects.cancels.push((worker, Claim { id: task.id, fence: task.fence }));
        }
        Ok(())
    }

    /// Tasks that wait, are ready or parked end as cancelled.
    pub(super) async fn end_waiting(&mut self, tasks: &[TaskId]) -> Outcome<()> {
        if tasks.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = tasks.iter().map(|task| task.uuid()).collect();
        self.link.execute(query(sql::CANCEL_WAITING).bind(ids).bind(self.now.as_millis())).await?;
        self.effects.ended.extend(tasks.iter().map(|&task| crate::id::WorkId::from(task)));
        Ok(())
    }

    /// Stops one task alone, with all that follows from it. Says how.
    pub(super) async fn stop_alone(&mut self, task: &Live) -> Outcome<Stop> {
        let stop = self.stop(task).await?;
        match stop {
            Stop::End => {
                self.end_waiting(&[task.id]).await?;
                self.stopped_alone(task).await?;
            }
            Stop::Route => {
                self.leave_stopped(task, stop).await?;
                self.hold_task(task.id, task.run).await?;
            }
            Stop::Nothing | Stop::Tell | Stop::Inner => {}
        }
        Ok(stop)
    }

    /// A task has ended as cancelled with nothing to follow: the next of its group has its turn, and a run that
    /// goes on fails. `task` is as it stood before.
    pub(super) async fn stopped_alone(&mut self, task: &Live) -> Outcome<()> {
        if let Some(group) = self.leave_stopped(task, Stop::End).await? {
            self.give_turns(group).await?;
        }
        // What waits to undo a step is no part of the run yet: it is not undone, and that is all.
        if task.wait == Some(Wait::Undo) {
            return Ok(());
        }
        let Some(run) = task.run else { return Ok(()) };
        let Some(mut row) = self.run_row(run).await?.filter(|row| !row.state.is_terminal()) else { return Ok(()) };
        row.open_tasks -= 1;
        if task.undo {
            self.undo_failed(row, task.id, &task.report()).await
        } else if goes_on(row.state) {
            self.fail_run(row, &task.report()).await
        } else {
            self.keep_run(row, None).await
        }
    }
}

/// The group that a task leaves that is stopped so, whether it ends, and whether it had no turn.
fn leaves(task: &Live, stop: Stop) -> Option<(Uuid, bool, bool)> {
    let had_no_turn = task.wait == Some(Wait::Turn);
    match (task.group, stop) {
        (Some(group), Stop::End) => Some((group, true, had_no_turn)),
        (Some(group), Stop::Route) if had_no_turn => Some((group, false, true)),
        _ => None,
    }
}
