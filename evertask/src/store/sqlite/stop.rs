//! Stopping tasks: what waits ends, what runs is told, and what waits for a run ends when that has ended.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::batch::Batch;
use super::fault::Outcome;
use super::inner::After;
use super::run::RunRow;
use super::sql;
use super::value::{Id, id, optional_id, task_state, wait};
use crate::failure::FailureReport;
use crate::id::{RunId, TaskId, WorkerId};
use crate::store::rules::{self, Stop, goes_on};
use crate::store::{Claim, RunState, TaskState, Wait};

/// A task that is to be stopped.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) seq: i64,
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
    slot: Option<String>,
    cancel_requested: bool,
}

impl Live {
    /// How many columns it has.
    pub(super) const COLUMNS: usize = 14;

    pub(super) fn read(row: &Row<'_>) -> Outcome<Self> {
        Ok(Self {
            seq: row.get(0)?,
            id: id(row, 1)?,
            state: task_state(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
            wait: wait(row, 3)?,
            cancel_routed: row.get(4)?,
            worker: optional_id(row, 5)?,
            fence: row.get(6)?,
            run: optional_id(row, 7)?,
            group: optional_id(row, 8)?,
            undo: row.get(9)?,
            name: row.get(10)?,
            failures: row.get(11)?,
            slot: row.get(12)?,
            cancel_requested: row.get(13)?,
        })
    }

    /// Why its run failed, if it was cancelled alone.
    pub(super) fn report(&self) -> FailureReport {
        rules::step_cancelled(&self.name, self.id, self.failures)
    }
}

impl Batch<'_, '_> {
    /// The run fails: what waits ends, what runs is told to stop, and nothing follows.
    pub(super) fn fail_run(&mut self, mut row: RunRow, failure: &FailureReport) -> Outcome<()> {
        row.state = RunState::Compensating;
        let (ended, lost) = self.stop_tasks(row.id, true)?;
        row.open_tasks -= ended;
        row.lost |= lost;
        self.keep_run(row, Some(failure))
    }

    /// Cancels a run, if it has not ended. Says in which state it was.
    pub(super) fn stop_run(&mut self, run: RunId) -> Outcome<Option<RunState>> {
        let Some(mut row) = self.run_row(run)? else { return Ok(None) };
        let before = row.state;
        if !goes_on(before) {
            // One that is being stopped is left alone: what its `on_cancel` arms brought is not stopped with it.
            return Ok(Some(before));
        }
        row.state = RunState::Cancelling;
        row.open_tasks -= self.stop_tasks(run, false)?.0;
        self.keep_run(row, None)?;
        Ok(Some(before))
    }

    /// Stops the tasks of a run, and says how many have ended, and whether the run can't be taken up again for one of
    /// them.
    /// If the run fails, it is noted of each what it was, so that it can be that again.
    fn stop_tasks(&mut self, run: RunId, fails: bool) -> Outcome<(i64, bool)> {
        let (mut ended, mut lost) = (0, false);
        for task in self.live_tasks(run)? {
            if fails {
                // A run that is a step is not taken up again, and what was to be cancelled anyway is not either.
                if task.cancel_requested || task.wait == Some(Wait::Run) {
                    lost = true;
                } else {
                    self.conn.prepare_cached(sql::MARK_STOPPED)?.execute([task.seq])?;
                }
            }
            let stop = self.stop(&task)?;
            self.leave_stopped(&task, stop)?;
            ended += i64::from(stop == Stop::End);
        }
        if lost {
            self.lose(run)?;
        }
        Ok((ended, lost))
    }

    fn live_tasks(&self, run: RunId) -> Outcome<Vec<Live>> {
        let mut find = self.conn.prepare_cached(sql::LIVE_OF_RUN)?;
        let mut rows = find.query([Id(run.uuid())])?;
        let mut live = Vec::new();
        while let Some(row) = rows.next()? {
            live.push(Live::read(row)?);
        }
        Ok(live)
    }

    /// A task as it stands, whatever its state.
    pub(super) fn standing(&self, task: TaskId) -> Outcome<Option<Live>> {
        let mut find = self.conn.prepare_cached(sql::CANCEL_ROW)?;
        let mut rows = find.query([Id(task.uuid())])?;
        rows.next()?.map(Live::read).transpose()
    }

    /// Stops one task, without what that does to its group and its run. Says how.
    pub(super) fn stop(&mut self, task: &Live) -> Outcome<Stop> {
        let mut stop = rules::stop(task.state, task.wait, task.cancel_routed);
        if stop == Stop::Inner {
            match self.inner_run(task.id)? {
                Some(inner) => {
                    self.conn.prepare_cached(sql::CANCEL_STEP)?.execute([task.seq])?;
                    self.after.push(After::Cancel(inner));
                }
                // Only a file that was changed by hand has none.
                None => stop = rules::stop(TaskState::Waiting, None, task.cancel_routed),
            }
        }
        match stop {
            Stop::Nothing | Stop::Inner => {}
            Stop::Tell => self.tell_running(task)?,
            Stop::Route => {
                let mut route = self.conn.prepare_cached(sql::CANCEL_ROUTED)?;
                route.execute(params![task.seq, self.now.as_millis()])?;
            }
            Stop::End => {
                self.end_waiting(task)?;
                // It was about to take a slot, perhaps.
                if let Some(bucket) = &task.slot {
                    self.give_slot(bucket)?;
                }
            }
        }
        Ok(stop)
    }

    /// The group of a task that was stopped no longer counts it as before.
    fn leave_stopped(&self, task: &Live, stop: Stop) -> Outcome<Option<super::group::Group>> {
        let had_no_turn = task.wait == Some(Wait::Turn);
        match (task.group, stop) {
            (Some(group), Stop::End) => self.leave_group(group, true, had_no_turn).map(Some),
            (Some(group), Stop::Route) if had_no_turn => self.leave_group(group, false, true).map(Some),
            _ => Ok(None),
        }
    }

    /// A running task is to stop. Whether it ends first is decided by the fence.
    fn tell_running(&mut self, task: &Live) -> Outcome<()> {
        let told = self.conn.prepare_cached(sql::CANCEL_RUNNING)?.execute([task.seq])? > 0;
        if told && let Some(worker) = task.worker {
            self.effects.cancels.push((worker, Claim { id: task.id, fence: task.fence }));
        }
        Ok(())
    }

    /// A task that waits, is ready or parked ends as cancelled.
    pub(super) fn end_waiting(&mut self, task: &Live) -> Outcome<()> {
        self.conn.prepare_cached(sql::CANCEL_WAITING)?.execute(params![task.seq, self.now.as_millis()])?;
        self.task_ended(task.id, task.seq, TaskState::Cancelled, task.run.is_some());
        Ok(())
    }

    /// Stops one task alone, with all that follows from it. Says how.
    pub(super) fn stop_alone(&mut self, task: &Live) -> Outcome<Stop> {
        let stop = self.stop(task)?;
        match stop {
            Stop::End => self.stopped_alone(task)?,
            Stop::Route => {
                self.leave_stopped(task, stop)?;
                self.hold_task(task.seq)?;
            }
            Stop::Nothing | Stop::Tell | Stop::Inner => {}
        }
        Ok(stop)
    }

    /// A task has ended as cancelled with nothing to follow: the next of its group has its turn, and a run that
    /// goes on fails. `task` is as it stood before.
    pub(super) fn stopped_alone(&mut self, task: &Live) -> Outcome<()> {
        if let Some(group) = self.leave_stopped(task, Stop::End)? {
            self.give_turns(group)?;
        }
        // What waits to undo a step is no part of the run yet: it is not undone, and that is all.
        if task.wait == Some(Wait::Undo) {
            return Ok(());
        }
        let Some(run) = task.run else { return Ok(()) };
        let Some(mut row) = self.run_row(run)?.filter(|row| !row.state.is_terminal()) else { return Ok(()) };
        row.open_tasks -= 1;
        if task.undo {
            self.undo_failed(row, task.seq, &task.report())
        } else if goes_on(row.state) {
            self.fail_run(row, &task.report())
        } else {
            self.keep_run(row, None)
        }
    }
}
