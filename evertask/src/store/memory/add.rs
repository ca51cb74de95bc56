//! New work: tasks, runs and items, and what their tasks wait for at first.

use uuid::Uuid;

use crate::id::{RunId, TaskId, WorkId, WorkerId};
use crate::store::rules;
use crate::store::{
    Dispatched, Got, NewEach, NewRun, NewTask, NewWork, RunRecord, RunState, StepOf, StoreError, TaskState, Wait,
};

use super::state::{FOR_EVER, Kind, Row, RunRow, State, StepRow};
use super::waits::Group;

/// How a task is added, apart from what it is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Adding {
    /// The worker whose attempt it follows, which may get it at once.
    pub(super) by: Option<WorkerId>,
    pub(super) wait: Option<Wait>,
    pub(super) got: Option<Got>,
    pub(super) item: Option<(Uuid, u32)>,
}

impl State {
    pub(super) fn dispatch(&mut self, work: Vec<NewWork>) -> Result<Vec<Dispatched>, StoreError> {
        for work in &work {
            if let NewWork::Each(NewEach { id, .. }) = work {
                let reason = format!("the items of {id} can only follow a task");
                return Err(StoreError::Refused { reason });
            }
            if let Some(run) = rules::run_of(work) {
                let reason = format!("the work is a part of the run {run}: only its own tasks add to it");
                return Err(StoreError::Refused { reason });
            }
        }
        Ok(work.into_iter().filter_map(|work| self.add(work, None)).collect())
    }

    /// Adds work, unless its id or its key is taken. A worker that has a slot for it may get it at once.
    /// Items have no answer.
    pub(super) fn add(&mut self, work: NewWork, by: Option<WorkerId>) -> Option<Dispatched> {
        match work {
            NewWork::Task(task) => Some(self.add_task(task, Adding { by, ..Adding::default() })),
            NewWork::Run(run) => Some(self.add_run(*run, by)),
            NewWork::Each(each) => {
                self.add_each(each, by);
                None
            }
        }
    }

    /// The task that has the id, or the key, of a new one.
    fn taken(&self, new: &NewTask) -> Option<TaskId> {
        let by_key = new.key.as_ref().and_then(|key| self.task_keys.get(&*new.name)?.get(key).copied());
        by_key.or_else(|| self.tasks.contains_key(&new.id).then_some(new.id))
    }

    pub(super) fn add_task(&mut self, mut new: NewTask, adding: Adding) -> Dispatched {
        if let Some(id) = self.taken(&new) {
            return Dispatched { id: id.into(), existing: true };
        }
        let id = new.id;
        if new.visits.is_some() && adding.wait != Some(Wait::Undo) && self.is_one_too_many(&new) {
            return Dispatched { id: id.into(), existing: false };
        }
        if let Some(key) = &new.key {
            self.task_keys.entry(new.name.clone().into_owned()).or_default().insert(key.clone(), id);
        }
        let (run, workflow, step) = match new.of {
            Some(StepOf { run, workflow, step }) => (Some(run), Some(workflow.into_owned()), step),
            None => (None, None, None),
        };
        let Adding { by, mut wait, mut got, item } = adding;
        let is_undo = wait == Some(Wait::Undo);
        let mut run_at = new.at.unwrap_or_else(|| self.now.plus(new.delay));
        if let (None, Some(Wait::Signal), Some(run), Some(step)) = (wait, new.wait, run, &step) {
            let mut names = [&**step].into_iter().chain(new.was.iter().copied());
            let run = self.runs.get_mut(&run);
            let kept = run.and_then(|run| names.find_map(|name| run.signals.get_mut(name)?.take()));
            if let Some(value) = kept {
                (new.payload, got, run_at) = (value, Some(Got::Signal), self.now);
            } else if new.at.is_none() && new.delay.is_zero() {
                (wait, run_at) = (Some(Wait::Signal), FOR_EVER);
            } else if run_at > self.now {
                wait = Some(Wait::Signal);
            } else {
                got = Some(Got::Nothing);
            }
        }
        let kind = self.kind(Kind { name: new.name.into_owned(), workflow, step: step.map(Into::into) });
        let mut state = (TaskState::Waiting, wait);
        if let Some(run) = run.and_then(|run| self.runs.get_mut(&run)) {
            run.members.push(id);
            if wait.is_none() {
                state = rules::ready(Some(run.record.state));
            }
            if !is_undo {
                run.live.insert(id);
                run.record.open_tasks += 1;
                run.step(kind).visits += 1;
            }
        } else if wait.is_none() {
            state = rules::ready(None);
        }
        if let Some(group) = item.and_then(|(group, _)| self.groups.get_mut(&group)) {
            group.tasks.push(id);
            group.open += 1;
        }
        let queue = self.queue(&new.queue);
        let number = self.task_ids.len();
        self.task_ids.push(id);
        let row = Row {
            id,
            kind,
            queue,
            number,
            state: state.0,
            priority: new.priority,
            run_at,
            due: false,
            payload: new.payload,
            output: None,
            failure: None,
            error: None,
            parked: None,
            fence: 0,
            failures: 0,
            crashes: 0,
            interrupts: 0,
            worker: None,
            cancel_requested: false,
            cancel_routed: new.cancel_routed,
            key: new.key,
            correlation: new.correlation,
            parent: new.parent,
            run,
            wait: state.1,
            got,
            item,
            is_undo,
            progress: None,
            created_at: self.now,
            finished_at: None,
            lines: Vec::new(),
            attempts: Vec::new(),
        };
        let due = row.state == TaskState::Ready && row.run_at <= self.now;
        let hand_over = by.filter(|&worker| due && self.may_hand_over(worker, queue, kind, row.priority));
        self.tasks.insert(id, row);
        match hand_over {
            Some(worker) => self.claim(id, worker),
            None => self.change(id, |_| ()),
        }
        Dispatched { id: id.into(), existing: false }
    }

    /// Whether the run of this task has had as many of its step as it may. Then it fails.
    fn is_one_too_many(&mut self, new: &NewTask) -> bool {
        let Some(StepOf { run, step: Some(step), .. }) = &new.of else { return false };
        let had = self.runs.get(run).map_or(0, |row| {
            let name = |had: &StepRow| self.kinds.get(had.kind).step.as_deref();
            let same =
                row.steps.iter().filter(|had| name(had).is_some_and(|name| new.step_names().any(|of| of == name)));
            same.map(|had| had.visits).sum()
        });
        match new.visits {
            Some(limit) if had >= limit => {
                self.fail_run(*run, rules::too_many_visits(*run, step, limit));
                true
            }
            _ => false,
        }
    }

    fn add_run(&mut self, new: NewRun, by: Option<WorkerId>) -> Dispatched {
        let taken = new.key.as_ref().and_then(|key| self.run_keys.get(&*new.workflow)?.get(key).copied());
        let there = || {
            let step = new.step.as_ref().is_some_and(|step| self.taken(step).is_some());
            step || self.runs.contains_key(&new.id) || self.tasks.contains_key(&new.first.id)
        };
        if let Some(id) = taken.or_else(|| there().then_some(new.id)) {
            return Dispatched { id: id.into(), existing: true };
        }
        let id = new.id;
        let inner_of = new.step.as_ref().map(|step| step.id);
        if let Some(step) = new.step {
            if self.is_one_too_many(&step) {
                return Dispatched { id: id.into(), existing: false };
            }
            self.inner_runs.insert(step.id, id);
            self.add_task(step, Adding { wait: Some(Wait::Run), ..Adding::default() });
        }
        let workflow = new.workflow.clone().into_owned();
        if let Some(key) = &new.key {
            self.run_keys.entry(workflow.clone()).or_default().insert(key.clone(), id);
        }
        let due = new.first.at.unwrap_or_else(|| self.now.plus(new.first.delay));
        let deadline = new.timeout.map(|timeout| due.plus(timeout));
        self.deadlines.extend(deadline.map(|deadline| (deadline, id)));
        let record = RunRecord {
            id,
            workflow,
            version: new.version,
            fingerprint: new.fingerprint,
            state: RunState::Running,
            input: new.input,
            output: new.output,
            failure: None,
            open_tasks: 0,
            key: new.key,
            correlation: new.correlation,
            parent: inner_of.or(new.parent),
            deadline,
            created_at: self.now,
            finished_at: None,
        };
        self.run_ids.push(id);
        self.runs.insert(id, RunRow::new(record, self.run_ids.len() - 1, new.end_routed, inner_of));
        // The first task is the run's own: whatever else it says, it is part of it, and its key is the run's.
        let step = new.first.of.and_then(|of| of.step);
        let of = Some(StepOf { run: id, workflow: new.workflow, step });
        let first = NewTask { of, key: None, visits: None, ..new.first };
        self.add_task(first, Adding { by, ..Adding::default() });
        Dispatched { id: id.into(), existing: false }
    }

    fn add_each(&mut self, each: NewEach, by: Option<WorkerId>) {
        if self.groups.contains_key(&each.id) {
            return;
        }
        self.groups.insert(each.id, Group::new(each.limit));
        let goes_on =
            |state: &Self, run: Option<RunId>| run.and_then(|run| state.state_of(run)).is_some_and(rules::goes_on);
        if each.tasks.is_empty()
            && let Some(arrival) = each.arrival
            && let Some(run) = arrival.then.of.as_ref().map(|of| of.run)
        {
            self.arrive(run, arrival, Some(each.id), by);
            return;
        }
        let run = each.tasks.first().and_then(|task| task.of.as_ref()).map(|of| of.run);
        let went_on = goes_on(self, run);
        for (item, task) in (0..).zip(each.tasks) {
            let turn = self.groups.get(&each.id).is_some_and(Group::has_turn);
            let wait = if turn { None } else { Some(Wait::Turn) };
            self.add_task(task, Adding { by, wait, got: None, item: Some((each.id, item)) });
            if went_on && !goes_on(self, run) {
                // One of them was one too many.
                return;
            }
        }
    }

    pub(super) fn is_live(&self, id: WorkId) -> bool {
        match id {
            WorkId::Task(id) => self.tasks.get(&id).is_some_and(|row| !row.state.is_terminal()),
            WorkId::Run(id) => self.runs.get(&id).is_some_and(|run| !run.record.state.is_terminal()),
        }
    }
}
