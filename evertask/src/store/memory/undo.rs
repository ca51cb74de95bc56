//! What undoes the steps of a run, and runs that are steps of others.

use std::collections::HashSet;

use crate::id::{RunId, TaskId};
use crate::store::rules;
use crate::store::{Got, NewTask, RunState, TaskState, Wait};

use super::add::Adding;
use super::state::State;

impl State {
    /// A step that may have to be undone has ended.
    pub(super) fn add_undo(&mut self, run: RunId, undo: NewTask) {
        let id = undo.id;
        let added = self.add_task(undo, Adding { wait: Some(Wait::Undo), ..Adding::default() });
        if let Some(run) = self.runs.get_mut(&run).filter(|_| !added.existing) {
            run.undos.push(id);
        }
    }

    /// Starts what undoes the newest step of a run that is stopping. Says whether there is one.
    pub(super) fn undo_next(&mut self, run: RunId) -> bool {
        let next = self.runs.get_mut(&run).and_then(|run| run.undos.pop());
        if let Some(id) = next {
            self.make_ready(id, |_| ());
        }
        next.is_some()
    }

    /// A waiting undo is not to be done.
    pub(super) fn forget_undo(&mut self, id: TaskId) {
        let run = self.tasks.get(&id).and_then(|row| row.run);
        if let Some(run) = run.and_then(|run| self.runs.get_mut(&run)) {
            run.undos.retain(|&undo| undo != id);
        }
    }

    /// What was to undo a step has failed, or was cancelled: its run ends.
    pub(super) fn undo_failed(&mut self, id: TaskId) {
        let Some(row) = self.tasks.get(&id) else { return };
        let cancelled = || rules::step_cancelled(&self.kinds.get(row.kind).name, id, row.failures);
        let report = row.failure.clone().filter(|_| row.state == TaskState::Failed).unwrap_or_else(cancelled);
        let Some(run) = row.run.and_then(|run| self.runs.get_mut(&run)) else { return };
        rules::undo_failed(&mut run.record, report);
        run.failed_undo = Some(id);
        let run = run.record.id;
        self.finish_run(run);
    }

    pub(super) fn resume_undo(&mut self, id: RunId) -> bool {
        let now = self.now;
        let failed = self.runs.get_mut(&id).filter(|run| run.record.state == RunState::Failed);
        let Some((run, undo)) = failed.and_then(|run| run.failed_undo.take().map(|undo| (run, undo))) else {
            return false;
        };
        self.archive.forget_run(&run.record, run.number);
        run.record.state = RunState::Compensating;
        run.record.finished_at = None;
        self.change(undo, |row| {
            row.state = TaskState::Ready;
            row.finished_at = None;
            row.cancel_requested = false;
            row.run_at = now;
        });
        true
    }

    /// A run has succeeded: nobody undoes its steps any more, but the run that it is a step of.
    pub(super) fn hand_on_undos(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| !run.undos.is_empty()) else { return };
        let undos = std::mem::take(&mut run.undos);
        let moved: HashSet<TaskId> = undos.iter().copied().collect();
        run.members.retain(|id| !moved.contains(id));
        let outer = run.inner_of.and_then(|step| self.tasks.get(&step)?.run);
        let outer = outer.and_then(|outer| self.runs.get_mut(&outer)).filter(|run| !run.record.state.is_terminal());
        if let Some(outer) = outer {
            for id in undos {
                let Some(row) = self.tasks.get_mut(&id) else { continue };
                row.run = Some(outer.record.id);
                outer.undos.push(id);
                outer.members.push(id);
            }
            // By arrival, as they came.
            outer.members.sort_by_key(|id| self.tasks.get(id).map(|row| row.number));
            return;
        }
        for id in undos {
            self.remove_task(id);
        }
    }

    /// An inner run has ended: the step that waits for it goes on, or ends if it was to stop.
    pub(super) fn wake_step_of(&mut self, inner: RunId) {
        let Some(run) = self.runs.get(&inner) else { return };
        let Some(row) = run.inner_of.and_then(|step| self.tasks.get(&step)) else { return };
        if row.wait != Some(Wait::Run) {
            return;
        }
        let step = row.id;
        if row.cancel_requested && !row.cancel_routed {
            return self.end_cancelled(step);
        }
        let (end, now) = (rules::end_of_run(&run.record), self.now);
        self.make_ready(step, |row| {
            row.payload = end;
            row.got = Some(Got::Run);
            row.run_at = now;
        });
    }
}
