//! New work: tasks, runs and items, and what their tasks wait for at first.

use uuid::Uuid;

use crate::id::{RunId, WorkId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::rules::{self, rank};
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
        Self::check_dispatch(&work)?;
        self.admit(&work)?;
        Ok(work.into_iter().filter_map(|work| self.add(work, None)).collect())
    }

    /// Whether all of this may come from outside.
    pub(super) fn check_dispatch<'a>(work: impl IntoIterator<Item = &'a NewWork>) -> Result<(), StoreError> {
        for work in work {
            if let NewWork::Each(NewEach { id, .. }) = work {
                let reason = format!("the items of {id} can only follow a task");
                return Err(StoreError::Refused { reason });
            }
            if let Some(run) = rules::run_of(work) {
                let reason = format!("the work is a part of the run {run}: only its own tasks add to it");
                return Err(StoreError::Refused { reason });
            }
        }
        Ok(())
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

    pub(super) fn add_task(&mut self, new: NewTask, adding: Adding) -> Dispatched {
        let mut new = match self.unless_taken(new) {
            Ok(new) => new,
            Err(id) => return Dispatched { id: id.into(), existing: true },
        };
        let id = new.id;
        if new.visits.is_some() && adding.wait != Some(Wait::Undo) && self.is_one_too_many(&new) {
            return Dispatched { id: id.into(), existing: false };
        }
        if let Some(key) = &new.key {
            self.task_keys.entry(new.name.clone().into_owned()).or_default().insert(key.clone(), id);
        }
        let Adding { by, mut wait, mut got, item } = adding;
        let mut run_at = new.first_due(self.now);
        if wait.is_none() && new.wait == Some(Wait::Signal) {
            (wait, got, run_at) = self.meet_signal(&mut new, got, run_at);
        }
        let (run, workflow, step) = match new.of {
            Some(StepOf { run, workflow, step }) => (Some(run), Some(workflow.into_owned()), step),
            None => (None, None, None),
        };
        let is_undo = wait == Some(Wait::Undo);
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
        item.and_then(|(group, _)| self.groups.get_mut(&group)).into_iter().for_each(|group| group.join(id));
        let queue = self.queue(&new.queue);
        let number = self.task_ids.add(id);
        // What undoes a step is due when its run fails, if it does.
        let within = new.terms.as_ref().and_then(|terms| terms.deadline).filter(|_| !is_undo);
        let row = Row {
            id,
            kind,
            queue,
            number,
            state: state.0,
            priority: new.priority,
            run_at,
            rank: rank::rank(run_at, new.priority, self.queues[queue].standing.rules.ageing),
            indexed: false,
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
            terms: new.terms,
            deadline: rules::deadline(run_at, within),
            reserved: None,
            followed: false,
            stopped: None,
            progress: None,
            created_at: self.now,
            finished_at: None,
            lines: Vec::new(),
            attempts: Vec::new(),
        };
        let due = row.state == TaskState::Ready && row.run_at <= self.now;
        let free = due && !row.is_limited();
        let hand_over = by.filter(|&worker| free && self.may_hand_over(worker, queue, kind, row.priority));
        self.tasks.insert(id, row);
        match hand_over {
            Some(worker) => self.claim(id, worker),
            None => self.change(id, |_| ()),
        }
        Dispatched { id: id.into(), existing: false }
    }

    /// A step that waits for a signal takes the one that is there already, or waits. What it waits for, what it got,
    /// and when it is due.
    fn meet_signal(
        &mut self,
        new: &mut NewTask,
        got: Option<Got>,
        run_at: Timestamp,
    ) -> (Option<Wait>, Option<Got>, Timestamp) {
        let Some(StepOf { run, step: Some(_), .. }) = &new.of else { return (None, got, run_at) };
        let run = self.runs.get_mut(run);
        let kept = run.and_then(|run| new.step_names().find_map(|name| run.signals.get_mut(name)?.take()));
        if let Some(value) = kept {
            new.payload = value;
            (None, Some(Got::Signal), self.now)
        } else if new.at.is_none() && new.delay.is_zero() {
            (Some(Wait::Signal), got, FOR_EVER)
        } else if run_at > self.now {
            (Some(Wait::Signal), got, run_at)
        } else {
            (None, Some(Got::Nothing), run_at)
        }
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
        let new = match self.unless_run_taken(new) {
            Ok(new) => new,
            Err(id) => return Dispatched { id: id.into(), existing: true },
        };
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
        let due = new.first.first_due(self.now);
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
        let number = self.run_ids.add(id);
        self.runs.insert(id, RunRow::new(record, number, new.end_routed, inner_of));
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
            if let Some(run) = self.runs.get_mut(&run) {
                run.without_items.push(each.id);
            }
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
