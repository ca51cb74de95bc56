//! New work whose id or key is taken.

use crate::id::{RunId, TaskId};
use crate::store::rules::key::{self, Taken};
use crate::store::{NewRun, NewTask, StepOf, TaskState, Wait, rules};

use super::state::{Kind, Row, State};

impl State {
    /// The task that has the id, or the key, of a new one.
    pub(super) fn holder(&self, new: &NewTask) -> Option<TaskId> {
        let by_key = || new.key.as_ref().and_then(|key| self.task_keys.get(&*new.name)?.get(key).copied());
        self.tasks.contains_key(&new.id).then_some(new.id).or_else(by_key)
    }

    /// A task that is new, or the one that is there instead. One that waits may be replaced by it.
    pub(super) fn unless_taken(&mut self, new: NewTask) -> Result<NewTask, TaskId> {
        let Some(holder) = self.holder(&new) else { return Ok(new) };
        let now = self.now;
        let Some(row) = self.tasks.get_mut(&holder).filter(|row| row.id != new.id) else { return Err(holder) };
        let replaceable = row.run.is_none() && new.of.is_none() && may_be_replaced(row, &new);
        match key::taken(new.on_key(), row.created_at, now, replaceable) {
            Taken::Given | Taken::Refused => Err(holder),
            Taken::Renews => {
                row.key = None;
                Ok(new)
            }
            Taken::Replaces => {
                self.replace(holder, new);
                Err(holder)
            }
        }
    }

    /// A run that is new, or the one that is there instead. One that has not begun may be replaced by it.
    pub(super) fn unless_run_taken(&mut self, new: NewRun) -> Result<NewRun, RunId> {
        let step = new.step.as_ref().is_some_and(|step| self.holder(step).is_some());
        if step || self.runs.contains_key(&new.id) || self.tasks.contains_key(&new.first.id) {
            return Err(new.id);
        }
        let Some(key) = &new.key else { return Ok(new) };
        let Some(holder) = self.run_keys.get(&*new.workflow).and_then(|keys| keys.get(key)).copied() else {
            return Ok(new);
        };
        let Some(run) = self.runs.get(&holder) else { return Ok(new) };
        let first = match run.members[..] {
            [only] => self.tasks.get(&only).filter(|row| may_be_replaced(row, &new.first)),
            _ => None,
        };
        let fresh = rules::goes_on(run.record.state) && run.inner_of.is_none() && new.step.is_none();
        let created_at = run.record.created_at;
        match key::taken(new.on_key, created_at, self.now, fresh && first.is_some()) {
            Taken::Given | Taken::Refused => Err(holder),
            Taken::Renews => {
                if let Some(run) = self.runs.get_mut(&holder) {
                    run.record.key = None;
                }
                Ok(new)
            }
            Taken::Replaces => {
                if let Some(first) = first.map(|row| row.id) {
                    self.replace_run(holder, first, new);
                }
                Err(holder)
            }
        }
    }

    fn replace(&mut self, id: TaskId, new: NewTask) {
        let queue = self.queue(&new.queue);
        let run_at = new.first_due(self.now);
        let within = new.terms.as_ref().and_then(|terms| terms.deadline);
        self.change(id, |row| {
            if row.wait == Some(Wait::Slot) {
                row.state = TaskState::Ready;
            }
            row.queue = queue;
            row.priority = new.priority;
            row.run_at = run_at;
            row.payload = new.payload;
            row.correlation = new.correlation;
            row.cancel_routed = new.cancel_routed;
            row.terms = new.terms;
            row.deadline = rules::deadline(run_at, within);
            row.reserved = None;
        });
    }

    fn replace_run(&mut self, id: RunId, first: TaskId, new: NewRun) {
        self.no_deadline(id);
        let deadline = new.timeout.map(|timeout| new.first.first_due(self.now).plus(timeout));
        self.deadlines.extend(deadline.map(|deadline| (deadline, id)));
        let workflow = Some(new.workflow.into_owned());
        let step = new.first.of.as_ref().and_then(|StepOf { step, .. }| step.clone());
        let kind = self.kind(Kind { name: new.first.name.clone().into_owned(), workflow, step: step.map(Into::into) });
        if let Some(run) = self.runs.get_mut(&id) {
            run.record.input = new.input;
            run.record.output = new.output;
            run.record.version = new.version;
            run.record.fingerprint = new.fingerprint;
            run.record.deadline = deadline;
            run.record.correlation = new.correlation;
            run.end_routed = new.end_routed;
            run.steps.clear();
            run.step(kind).visits = 1;
        }
        self.change(first, |row| row.kind = kind);
        self.replace(first, new.first);
    }
}

/// Whether a new task may take the place of this one. What waits for a signal is no plain task.
fn may_be_replaced(row: &Row, new: &NewTask) -> bool {
    key::is_replaceable(row.state, row.wait, row.fence, row.cancel_requested)
        && row.wait != Some(Wait::Signal)
        && new.wait.is_none()
}
