//! What follows a task, as its route says it: steps, items, joins, undo, the run's end.

use std::borrow::Cow;
use std::time::Duration;

use crate::duration::IntoDuration;
use crate::failure::{FailureKind, FailureReport};
use crate::id::{RunId, TaskId, derive};
use crate::limits::LimitKeys;
use crate::payload::{CodecError, Payload};
use crate::registry::{JoinEntry, StepEntry, WorkflowEntry};
use crate::store::{Arrival, Follow, Member, NewEach, NewRun, NewTask, NewWork, StepOf, Wait};
use crate::task::{Task, Work, Workflow};
use crate::terms::{DraftTerms, declared, terms};
use crate::workflow::RouteError;

/// What follows a task: filled by its route, committed with its end.
#[derive(Debug)]
pub struct Next<'a> {
    parent: TaskId,
    correlation: Option<&'a str>,
    run: Option<RunId>,
    workflow: Option<&'static str>,
    follow: Follow,
}

/// When a step of an edge begins, and how often it may.
#[derive(Debug, Clone, Copy, Default)]
pub struct Edge {
    /// The pause before.
    pub after: Option<Duration>,
    /// How many tasks of the step the run may have.
    pub limit: Option<u32>,
}

impl<'a> Next<'a> {
    pub(crate) fn new(
        parent: TaskId,
        correlation: Option<&'a str>,
        run: Option<RunId>,
        workflow: Option<&'static str>,
    ) -> Self {
        Self { parent, correlation, run, workflow, follow: Follow::default() }
    }

    pub(crate) fn into_follow(self) -> Follow {
        self.follow
    }

    /// A step of the workflow block follows.
    pub fn step<T: Task>(&mut self, step: &'static StepEntry, payload: &T, edge: Edge) -> Result<(), RouteError> {
        let mut task = self.draft(step.name, edge.after).task(payload, self.of(step))?;
        (task.cancel_routed, task.was) = (step.on_cancel, step.was);
        task.visits = edge.limit;
        self.follow.work.push(NewWork::Task(task));
        Ok(())
    }

    /// A step of the workflow block follows, once for each payload. `limit` of them run at once; `join` waits for
    /// all of them.
    pub fn each<T: Task>(
        &mut self,
        step: &'static StepEntry,
        payloads: impl IntoIterator<Item = T>,
        limit: Option<u32>,
        join: Option<(&'static JoinEntry, u32)>,
    ) -> Result<(), RouteError> {
        let draft = self.draft(step.name, None);
        let (id, of) = (draft.id, self.of(step));
        let tasks = payloads.into_iter().enumerate().map(|(item, payload)| {
            let draft = Draft { id: derive(id, "item", item), ..draft.clone() };
            let mut task = draft.task(&payload, of.clone())?;
            (task.cancel_routed, task.was) = (step.on_cancel, step.was);
            Ok(task)
        });
        let tasks = tasks.collect::<Result<Vec<_>, CodecError>>()?;
        let arrival = join.map(|(join, member)| self.arrival(join, member));
        self.follow.work.push(NewWork::Each(NewEach { id, tasks, limit, arrival }));
        Ok(())
    }

    /// The task that has ended is a member of this join, and has arrived.
    pub fn join(&mut self, join: &'static JoinEntry, member: u32) {
        self.follow.arrival = Some(self.arrival(join, member));
    }

    /// A step that waits for a signal follows.
    pub fn wait(&mut self, step: &'static StepEntry, edge: Edge) {
        let patience = step.patience;
        let draft = self.draft(step.name, None);
        let mut task = draft.bare(step, self.of(step));
        task.wait = Some(Wait::Signal);
        task.at = patience.is_none().then_some(crate::Timestamp::from_millis(i64::MAX));
        task.delay = patience.unwrap_or_default().saturating_add(edge.after.unwrap_or_default());
        task.visits = edge.limit;
        self.follow.work.push(NewWork::Task(task));
    }

    /// A workflow that is a step of the block follows.
    pub fn run<W: Workflow>(&mut self, step: &'static StepEntry, payload: W, edge: Edge) -> Result<(), RouteError> {
        let draft = self.draft(step.name, edge.after);
        let mut waiting = draft.clone().bare(step, self.of(step));
        waiting.visits = edge.limit;
        waiting.wait = Some(Wait::Run);
        let inner = Draft { id: derive(draft.id, "run", 0), parent: Some(waiting.id), ..draft };
        let mut work = payload.prepare(inner)?;
        if let NewWork::Run(run) = &mut work {
            run.step = Some(waiting);
        }
        self.follow.work.push(work);
        Ok(())
    }

    /// This step undoes the task that has ended, if its run fails.
    pub fn undo<T: Task>(&mut self, step: &'static StepEntry, payload: &T) -> Result<(), RouteError> {
        let mut task = self.draft("undo", None).task(payload, self.of(step))?;
        task.wait = Some(Wait::Undo);
        self.follow.undo = Some(task);
        Ok(())
    }

    /// A task or a workflow of a standing chain follows.
    pub fn work<W: Work>(&mut self, payload: W, after: Option<Duration>) -> Result<(), RouteError> {
        let mut work = payload.prepare(self.draft(W::NAME, after))?;
        if let (NewWork::Task(task), Some(run), Some(workflow)) = (&mut work, self.run, self.workflow) {
            task.of = Some(StepOf { run, workflow: workflow.into(), step: None });
        }
        self.follow.work.push(work);
        Ok(())
    }

    /// The run's output.
    pub fn done<O: Payload>(&mut self, output: &O) -> Result<(), RouteError> {
        let mut stored = Vec::new();
        output.encode(&mut stored)?;
        self.follow.output = Some(stored);
        Ok(())
    }

    /// The run fails, because the workflow says so.
    pub fn fail(&mut self, task: &str, reason: &dyn std::fmt::Display) {
        let report = FailureReport::new(task, self.parent.uuid(), FailureKind::Declared, reason.to_string(), 0);
        self.follow.failure = Some(report);
    }

    /// The run fails with what went wrong, because no arm takes it.
    pub fn unrouted(&mut self, report: FailureReport) {
        self.follow.failure = Some(report);
    }

    fn arrival(&self, join: &'static JoinEntry, member: u32) -> Arrival {
        let mut then = self.draft(join.name, None).bare(join.then, self.of(join.then));
        then.id = derive(self.parent.uuid(), "join", usize::try_from(member).unwrap_or(0)).into();
        let members = join.members.iter().map(|&(step, each)| Member { step: step.name.into(), was: step.was, each });
        Arrival { join: join.name.into(), member, members: members.collect(), settled: join.settled, then }
    }

    fn of(&self, step: &'static StepEntry) -> Option<StepOf> {
        let (run, workflow) = (self.run?, self.workflow?);
        Some(StepOf { run, workflow: workflow.into(), step: Some(step.name.into()) })
    }

    fn draft(&self, edge: &str, after: Option<Duration>) -> Draft {
        Draft {
            id: derive(self.parent.uuid(), edge, self.follow.work.len()),
            parent: Some(self.parent),
            delay: after,
            correlation: self.correlation.map(str::to_owned),
            ..Draft::default()
        }
    }
}

/// A pause that an edge computes from an output: `after expr`.
pub fn pause(pause: impl IntoDuration) -> Result<Duration, RouteError> {
    Ok(pause.into_duration()?)
}

/// What is known of a piece of work before its payload is: its id, and what the caller asked for.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub(crate) id: uuid::Uuid,
    pub(crate) parent: Option<TaskId>,
    pub(crate) delay: Option<Duration>,
    pub(crate) at: Option<crate::Timestamp>,
    pub(crate) priority: Option<i16>,
    pub(crate) queue: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) correlation: Option<String>,
    pub(crate) terms: Option<Box<DraftTerms>>,
}

impl Draft {
    /// The task with this payload.
    pub(crate) fn task<T: Task>(self, payload: &T, of: Option<StepOf>) -> Result<NewTask, CodecError> {
        let mut stored = Vec::new();
        payload.encode(&mut stored)?;
        let entry = T::entry();
        Ok(NewTask {
            terms: terms(&entry.options, <T as Task>::NAME, &payload.limit_keys(), self.terms)?,
            id: self.id.into(),
            name: Cow::Borrowed(<T as Task>::NAME),
            queue: self.queue.map_or(Cow::Borrowed(entry.options.queue), Cow::Owned),
            priority: self.priority.unwrap_or(entry.options.priority),
            delay: self.delay.unwrap_or_default(),
            at: self.at,
            payload: stored,
            key: self.key,
            correlation: self.correlation,
            parent: self.parent,
            of,
            cancel_routed: entry.on_cancel,
            wait: None,
            visits: None,
            was: &[],
        })
    }

    /// The task of a step that has no payload yet: a signal, a run, or what follows a join.
    ///
    /// It has no limit with a key, which would be in the payload: see [`AfterJoin`](crate::workflow::AfterJoin).
    pub(crate) fn bare(self, step: &'static StepEntry, of: Option<StepOf>) -> NewTask {
        let options = step.options();
        NewTask {
            terms: declared(&options, step.does_name(), &LimitKeys::default()),
            id: self.id.into(),
            name: step.does_name().into(),
            queue: options.queue.into(),
            priority: options.priority,
            delay: self.delay.unwrap_or_default(),
            at: None,
            payload: b"null".to_vec(),
            key: None,
            correlation: self.correlation,
            parent: self.parent,
            of,
            cancel_routed: step.on_cancel,
            wait: None,
            visits: None,
            was: step.was,
        }
    }

    /// The run of a workflow, which starts with `first`, and whose own payload is `input`.
    pub(crate) fn run<T: Task>(
        self,
        entry: &'static WorkflowEntry,
        input: Vec<u8>,
        step: Option<&'static StepEntry>,
        first: &T,
    ) -> Result<NewRun, CodecError> {
        let id = RunId::from(self.id);
        let of = StepOf { run: id, workflow: entry.name.into(), step: step.map(|step| step.name.into()) };
        let edge = step.map_or(<T as Task>::NAME, |step| step.name);
        let terms = self.terms.as_ref().map(|terms| Box::new(terms.of_first_step()));
        let draft = Self { id: derive(self.id, edge, 0), key: None, parent: None, terms, ..self.clone() };
        let said = self.terms.unwrap_or_default();
        let mut first = draft.task(first, Some(of))?;
        if let Some(step) = step {
            (first.cancel_routed, first.was) = (step.on_cancel, step.was);
        }
        Ok(NewRun {
            on_key: said.on_key,
            id,
            workflow: entry.name.into(),
            version: entry.version,
            key: self.key,
            correlation: self.correlation,
            parent: self.parent,
            timeout: said.of_run().or(entry.timeout),
            end_routed: entry.end.is_some(),
            output: entry.output.of(&input),
            input,
            first,
            step: None,
            fingerprint: entry.fingerprint(),
        })
    }
}
