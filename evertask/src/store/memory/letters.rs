//! What has failed for good: tried again, or taken away.

use std::collections::BTreeSet;

use crate::id::{RunId, TaskId, WorkId};
use crate::store::rules::revival::{self, RunFacts};
use crate::store::{Edited, Got, Revived, RunState, TaskState, Wait};

use super::state::State;

impl State {
    pub(super) fn revive(&mut self, tasks: Vec<TaskId>, edited: Option<&Edited>) -> Vec<(TaskId, Revived)> {
        let answers: Vec<_> = tasks.into_iter().map(|id| (id, self.revival(id))).collect();
        let asked: BTreeSet<TaskId> =
            answers.iter().filter(|(_, answer)| *answer == Revived::Ready).map(|(id, _)| *id).collect();
        let runs: BTreeSet<RunId> = asked.iter().filter_map(|id| self.tasks.get(id)?.run).collect();
        for &run in &runs {
            self.revive_run(run);
        }
        let now = self.now;
        for &id in &asked {
            if let Some(row) = self.tasks.get_mut(&id) {
                row.run_at = now;
                if let Some(edited) = edited {
                    row.payload.clone_from(&edited.payload);
                    let terms = row.terms.get_or_insert_default();
                    (terms.rate, terms.slots) = (edited.rate.clone(), edited.slots.clone());
                }
                row.stopped = None;
            }
            self.live_again(id);
        }
        for run in runs {
            self.live_again_with(run);
            self.count_ends(run);
        }
        answers
    }

    fn revival(&self, id: TaskId) -> Revived {
        let Some(row) = self.tasks.get(&id) else { return Revived::NotFound };
        revival::revival(row.state, row.followed, row.run.and_then(|run| self.run_facts(run)))
    }

    pub(super) fn run_facts(&self, id: RunId) -> Option<RunFacts> {
        let run = self.runs.get(&id)?;
        let undone =
            run.members.iter().filter_map(|id| self.tasks.get(id)).any(|row| {
                row.is_undo && (row.fence > 0 || matches!(row.state, TaskState::Ready | TaskState::Running))
            });
        Some(RunFacts {
            state: run.record.state,
            end_routed: run.end_routed,
            is_step: run.inner_of.is_some(),
            undone,
            lost: run.lost,
        })
    }

    /// A run that has failed goes on. Its time, if that is up, is not counted again.
    fn revive_run(&mut self, id: RunId) {
        let now = self.now;
        let Some(run) = self.runs.get_mut(&id) else { return };
        self.archive.forget_run(&run.record, run.number);
        run.record.state = RunState::Running;
        run.record.finished_at = None;
        run.record.failure = None;
        run.record.deadline = run.record.deadline.filter(|deadline| *deadline > now);
        self.deadlines.extend(run.record.deadline.map(|deadline| (deadline, id)));
    }

    /// What the failure of the run has stopped is as it was then.
    fn live_again_with(&mut self, run: RunId) {
        let members = self.runs.get(&run).map(|run| run.members.clone()).unwrap_or_default();
        for id in members {
            let Some(row) = self.tasks.get(&id) else { continue };
            let ended = matches!(row.state, TaskState::Cancelled | TaskState::Failed);
            if row.stopped.is_some() && ended {
                self.live_again(id);
            }
        }
    }

    fn live_again(&mut self, id: TaskId) {
        let now = self.now;
        let Some(row) = self.tasks.get(&id) else { return };
        let limited =
            row.item.and_then(|(group, _)| self.groups.get(&group)).is_some_and(|group| group.limit.is_some());
        let mut wait =
            if limited { Some(Wait::Turn) } else { revival::waits_again(row.stopped.and_then(|stopped| stopped.0)) };
        let mut got = row.got;
        let mut value = None;
        if wait == Some(Wait::Signal) {
            let step = self.kinds.get(row.kind).step.as_deref().unwrap_or_default();
            let run = row.run.and_then(|run| self.runs.get_mut(&run));
            value = run.and_then(|run| run.signals.get_mut(step)?.take());
            if value.is_some() {
                (wait, got) = (None, Some(Got::Signal));
            } else if row.run_at <= now {
                (wait, got) = (None, Some(Got::Nothing));
            }
        }
        let group = row.item.map(|(group, _)| group);
        self.change(id, |row| {
            if row.state == TaskState::Failed {
                (row.failures, row.crashes) = (0, 0);
            }
            row.state = if wait.is_some() { TaskState::Waiting } else { TaskState::Ready };
            row.wait = wait;
            row.got = got;
            if let Some(value) = value {
                (row.payload, row.run_at) = (value, now);
            }
            row.finished_at = None;
            row.cancel_requested = false;
            row.error = None;
            row.deadline = None;
            row.followed = false;
            row.stopped = None;
        });
        self.turns.extend(group);
    }

    /// Counts anew which task of each step was the last to end.
    fn count_ends(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        for step in &mut run.steps {
            let rows = run.members.iter().filter_map(|id| self.tasks.get(id));
            let ended = rows.filter(|row| row.kind == step.kind && !row.is_undo && row.state.is_terminal());
            step.ended = ended.map(|row| (row.number, row.id)).max();
        }
    }

    pub(super) fn discard(&mut self, work: Vec<WorkId>) -> u64 {
        let mut gone = 0;
        for id in work {
            gone += u64::from(match id {
                WorkId::Task(id) => {
                    let may_go = self.tasks.get(&id).is_some_and(|row| {
                        row.run.is_none() && (row.state.is_terminal() || row.state == TaskState::Parked)
                    });
                    may_go && self.remove_task(id)
                }
                WorkId::Run(run) => !self.is_live(id) && self.remove_run(run),
            });
        }
        gone
    }
}
