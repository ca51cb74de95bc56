//! What a step is: a task, a workflow or a signal. A macro can't tell by the name, so each type says it, as its
//! [`Step::Kind`]. What both can do is [`Kind`], what a task alone can do is [`TaskKind`].

use std::marker::PhantomData;

use crate::__private::Step;
use crate::registry::{Does, JoinEntry, StepEntry};
use crate::task::{Accepts, Task, Workflow};
use crate::worker::{Runner, attempt_runner, signal_runner, sub_run_runner};
use crate::workflow::Awaited;
use crate::workflow::{Next, NextEdge, Route, RouteError, Signal};

/// The kind of a task, and whether its limits need its payload.
#[derive(Debug)]
pub struct OfTask<L = Unkeyed>(PhantomData<L>);

/// No limit of the task has a key.
#[derive(Debug)]
pub enum Unkeyed {}

/// A limit of the task has a key, which is made of its payload.
#[derive(Debug)]
pub enum Keyed {}

/// The kind of a workflow.
#[derive(Debug)]
pub enum OfWorkflow {}

/// The kind of a step that waits for a value from outside.
#[derive(Debug)]
pub enum OfSignal {}

/// How a step of this kind follows.
pub trait Kind<W> {
    /// The step follows, with this payload.
    fn follow(next: &mut Next<'_>, step: &'static StepEntry, payload: W, edge: NextEdge) -> Result<(), RouteError>;
}

impl<T: Task, L> Kind<T> for OfTask<L> {
    fn follow(next: &mut Next<'_>, step: &'static StepEntry, payload: T, edge: NextEdge) -> Result<(), RouteError> {
        next.step(step, &payload, edge)
    }
}

impl<W: Workflow> Kind<W> for OfWorkflow {
    fn follow(next: &mut Next<'_>, step: &'static StepEntry, payload: W, edge: NextEdge) -> Result<(), RouteError> {
        next.run(step, payload, edge)
    }
}

/// How a step of this kind runs, with the arms `R`.
pub trait RunBy<W, R> {
    /// What the step does.
    #[doc(hidden)]
    const DOES: Running;
}

/// What a step does, and how.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    pub(crate) does: Does,
    pub(crate) run: Runner,
}

impl<T: Task, L, R: Route<T>> RunBy<T, R> for OfTask<L> {
    const DOES: Running = Running { does: Does::Task(T::entry), run: attempt_runner::<T, R> };
}

impl<W: Workflow, R: Route<W>> RunBy<W, R> for OfWorkflow {
    const DOES: Running = Running { does: Does::Workflow(W::entry), run: sub_run_runner::<W, R> };
}

impl<S: Awaited, R: Route<Signal<S>>> RunBy<Signal<S>, R> for OfSignal {
    const DOES: Running = Running { does: Does::Signal, run: signal_runner::<S, R> };
}

/// What a step can do only if it is a task.
#[diagnostic::on_unimplemented(
    message = "`{W}` is a workflow, and this must be a task",
    label = "not a task",
    note = "`each`, `undo` and `join` lead to tasks; a workflow can follow on an edge of its own"
)]
pub trait TaskKind<W> {
    /// The step follows, once for each payload.
    fn each(
        next: &mut Next<'_>,
        step: &'static StepEntry,
        payloads: impl Iterator<Item = W>,
        limit: Option<u32>,
        join: Option<(&'static JoinEntry, u32)>,
    ) -> Result<(), RouteError>;

    /// The step undoes the task that has ended, if its run fails.
    fn undo(next: &mut Next<'_>, step: &'static StepEntry, payload: &W) -> Result<(), RouteError>;
}

#[diagnostic::do_not_recommend]
impl<T: Task, L> TaskKind<T> for OfTask<L> {
    fn each(
        next: &mut Next<'_>,
        step: &'static StepEntry,
        payloads: impl Iterator<Item = T>,
        limit: Option<u32>,
        join: Option<(&'static JoinEntry, u32)>,
    ) -> Result<(), RouteError> {
        next.each(step, payloads, limit, join)
    }

    fn undo(next: &mut Next<'_>, step: &'static StepEntry, payload: &T) -> Result<(), RouteError> {
        next.undo(step, payload)
    }
}

/// What may follow a join. Its payload is made when it is claimed, and its limits are looked at before that.
#[diagnostic::on_unimplemented(
    message = "`{W}` can't follow a join, because a limit of it has a key",
    label = "the key is in its payload, which is not made yet when its limit is looked at",
    note = "let another task follow the join, and lead from there to `{W}`"
)]
pub trait AfterJoin<W> {}

#[diagnostic::do_not_recommend]
impl<W> AfterJoin<W> for OfTask {}

// That these are no tasks is an error of its own.
#[diagnostic::do_not_recommend]
impl<W> AfterJoin<W> for OfWorkflow {}
#[diagnostic::do_not_recommend]
impl<W> AfterJoin<W> for OfSignal {}

/// A step of the block follows.
pub fn follow<W: Step<Kind: Kind<W>>>(
    next: &mut Next<'_>,
    step: &'static StepEntry,
    payload: W,
    edge: NextEdge,
) -> Result<(), RouteError> {
    <W::Kind as Kind<W>>::follow(next, step, payload, edge)
}

/// A step of the block follows, once for each item.
pub fn each<W: Accepts<I::Item> + Step<Kind: TaskKind<W>>, I: IntoIterator>(
    next: &mut Next<'_>,
    step: &'static StepEntry,
    items: I,
    limit: Option<u32>,
    join: Option<(&'static JoinEntry, u32)>,
) -> Result<(), RouteError> {
    <W::Kind as TaskKind<W>>::each(next, step, items.into_iter().map(W::accept), limit, join)
}

/// A step of the block undoes the one that has ended.
pub fn undo<W: Step<Kind: TaskKind<W>>>(
    next: &mut Next<'_>,
    step: &'static StepEntry,
    payload: &W,
) -> Result<(), RouteError> {
    <W::Kind as TaskKind<W>>::undo(next, step, payload)
}
