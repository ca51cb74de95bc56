//! Cancels: of a task, of a run, of all that belongs together.

use crate::id::{RunId, TaskId, WorkId};
use crate::store::rules::{self, Stop};
use crate::store::{CancelOutcome, RunState, Selection, TaskState, Wait};

use super::state::State;

impl State {
    pub(super) fn cancel(&mut self, selection: Selection) -> Vec<(WorkId, CancelOutcome)> {
        let selected = match selection {
            Selection::Ids(ids) => {
                return ids.into_iter().map(|id| (id, self.cancel_one(id, CancelOutcome::AlreadyFinished))).collect();
            }
            Selection::Correlation(value) => {
                self.select(|correlation, _| correlation.is_some_and(|correlation| correlation == value))
            }
            Selection::Name(value) => self.select(|_, name| name == value),
        };
        // All of them were live: one that ended by another's cancel was cancelled too.
        selected.into_iter().map(|id| (id, self.cancel_one(id, CancelOutcome::Cancelled))).collect()
    }

    /// Live runs that match, and live tasks that match and are not part of such a run.
    fn select(&self, matches: impl Fn(Option<&str>, &str) -> bool) -> Vec<WorkId> {
        let run_matches = |id: RunId| {
            self.runs.get(&id).is_some_and(|run| {
                let record = &run.record;
                !record.state.is_terminal() && matches(record.correlation.as_deref(), &record.workflow)
            })
        };
        let runs = self.run_ids.iter().filter(|&id| run_matches(id)).map(WorkId::Run);
        let tasks = self.task_ids.iter().filter_map(|id| self.tasks.get(&id)).filter(|row| {
            !row.state.is_terminal()
                && !row.is_undo_in_waiting()
                && matches(row.correlation.as_deref(), &self.kinds.get(row.kind).name)
                && !row.run.is_some_and(run_matches)
        });
        runs.chain(tasks.map(|row| WorkId::Task(row.id))).collect()
    }

    fn cancel_one(&mut self, id: WorkId, if_ended: CancelOutcome) -> CancelOutcome {
        let known = match id {
            WorkId::Task(id) => self.tasks.contains_key(&id),
            WorkId::Run(id) => self.runs.contains_key(&id),
        };
        if !known {
            return CancelOutcome::NotFound;
        }
        if !self.is_live(id) {
            return if_ended;
        }
        match id {
            WorkId::Task(task) => {
                let to_undo = self.tasks.get(&task).is_some_and(|row| row.wait == Some(Wait::Undo));
                if self.stop(task) && !to_undo {
                    self.fail_run_of_cancelled(task);
                }
            }
            WorkId::Run(run) => self.cancel_run(run),
        }
        // The answer counts what ends with it.
        self.carry_on();
        match id {
            WorkId::Run(run) if self.state_of(run) == Some(RunState::Cancelled) => CancelOutcome::Cancelled,
            WorkId::Task(_) if !self.is_live(id) => CancelOutcome::Cancelled,
            _ => CancelOutcome::Requested,
        }
    }

    pub(super) fn cancel_run(&mut self, id: RunId) {
        // One that is being stopped is left alone: what its `on_cancel` arms brought is not stopped with it.
        let Some(run) = self.runs.get_mut(&id).filter(|run| rules::goes_on(run.record.state)) else { return };
        run.record.state = RunState::Cancelling;
        self.no_deadline(id);
        self.stop_tasks(id);
        self.end_run_if_done(id);
    }

    /// Stops every live task of a run that fails or is cancelled, but for what undoes its steps.
    pub(super) fn stop_tasks(&mut self, run: RunId) {
        let live: Vec<TaskId> = self.runs.get(&run).map(|run| run.live.iter().copied().collect()).unwrap_or_default();
        for id in live {
            if !self.tasks.get(&id).is_some_and(|row| row.is_undo) {
                self.stop(id);
            }
        }
    }

    /// Stops one task. Says whether it ended.
    fn stop(&mut self, id: TaskId) -> bool {
        let Some(row) = self.tasks.get(&id) else { return false };
        let now = self.now;
        match rules::stop(row.state, row.wait, row.cancel_routed) {
            Stop::Nothing => false,
            Stop::End => {
                if row.wait == Some(Wait::Undo) {
                    self.forget_undo(id);
                }
                self.change(id, |row| row.state = TaskState::Cancelled);
                true
            }
            Stop::Route => {
                self.make_ready(id, |row| {
                    row.cancel_requested = true;
                    row.run_at = row.run_at.min(now);
                });
                false
            }
            Stop::Inner => {
                self.change(id, |row| row.cancel_requested = true);
                self.stopping.extend(self.inner_runs.get(&id));
                false
            }
            Stop::Tell => {
                let told = (row.worker, row.claim(), row.cancel_requested);
                self.change(id, |row| row.cancel_requested = true);
                if let (Some(worker), claim, false) = told {
                    self.cancelled.entry(worker).or_default().push(claim);
                }
                false
            }
        }
    }

    /// A running task for which a cancel was asked ends without a word of its own.
    pub(super) fn end_cancelled(&mut self, id: TaskId) {
        self.change(id, |row| row.state = TaskState::Cancelled);
        self.fail_run_of_cancelled(id);
    }

    /// A step that is cancelled alone fails its run; one of a run that stops may be its last.
    fn fail_run_of_cancelled(&mut self, id: TaskId) {
        let Some(row) = self.tasks.get(&id) else { return };
        if row.is_undo {
            return self.undo_failed(id);
        }
        let Some(run) = row.run else { return };
        let report = rules::step_cancelled(&self.kinds.get(row.kind).name, id, row.failures);
        self.fail_run(run, report);
        self.end_run_if_done(run);
    }
}
