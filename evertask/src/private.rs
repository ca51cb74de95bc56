//! The contract between the macros and the runtime: all that generated code may touch. Not for people.
//!
//! Generated code only names things; what they do is here, or in the modules that this re-exports.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use crate::context::{blocking, inject, inject_dyn, need, need_dyn};
pub use crate::duration::checked as duration;
pub use crate::limits::LimitKeys;
pub use crate::rate::checked as rate;
pub use crate::registry::{
    Body, Does, EdgeEntry, Fingerprint, InitialOutput, JoinEntry, Location, Need, Prepare, Recurs, Registered,
    StepEntry, Submission, Target, TaskEntry, WorkflowEntry, prepare_stored,
};
pub use crate::schedule::build::by_cron;
pub use crate::schedule::cron::checked as cron;
pub use crate::schedule::exclusion::checked as exclusion;
pub use crate::store::NewWork;
pub use crate::task::{ErrorCodec, Hint};
pub use crate::workflow::{
    Awaited, Draft, EachOf, Ended, Fault, Keyed, Next, NextEdge, OfTask, OfWorkflow, One, Route, RouteError, Settled,
    Signal, SignalKey, Stored, Unkeyed, each, follow, pause, undo,
};
pub use inventory;

use crate::advice::{RetryAdvice, RetryHint};
use crate::failure::{Failure, FailureReport};
use crate::limits::LimitKey;
use crate::payload::{CodecError, Payload};
use crate::task::{Accepts, AcceptsFailure, Handler, Task, ViaFailure, ViaReport, Work};

/// What a `#[task]` function returns, whatever its `Result` is called.
#[diagnostic::on_unimplemented(
    message = "a task returns a `Result`, not `{Self}`",
    label = "not a `Result`",
    note = "write `-> Result<Output, Error>`; the error of a task that can't fail is `std::convert::Infallible`"
)]
pub trait TaskResult {
    /// What it gives.
    type Output;
    /// What it fails with.
    type Error;
    /// Itself.
    fn result(self) -> Result<Self::Output, Self::Error>;
}

#[diagnostic::do_not_recommend]
impl<T, E> TaskResult for Result<T, E> {
    type Output = T;
    type Error = E;

    fn result(self) -> Self {
        self
    }
}

/// The task or workflow that a step runs: itself. Generated code implements it for each, so that it fails for anything
/// else with an error that hides those that would follow.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a task nor a workflow",
    label = "not a task",
    note = "a step runs a function or a struct with `#[task]`, or a workflow"
)]
pub trait Step {
    /// The task or workflow.
    type Work;
    /// Which of the two it is: [`OfTask`], with or without a key in its limits, or [`OfWorkflow`].
    type Kind;
}

/// The task or workflow that a standing chain leads to: itself. Generated code implements it, as [`Step`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a task nor a workflow",
    label = "not a task",
    note = "a task is a function or a struct with `#[task]`, a workflow a struct with `#[workflow]` or a `workflow!` block"
)]
pub trait Follower {
    /// The task or workflow.
    type Work;
}

/// The task that a workflow of the attribute form starts with: itself. Generated code implements it, as [`Step`].
#[diagnostic::on_unimplemented(
    message = "a workflow can't start with `{Self}`, which is not a task",
    label = "not a task",
    note = "a task is a function or a struct with `#[task]`; a workflow can't start with another one yet"
)]
pub trait First {
    /// The task.
    type Task;
}

/// The payload of the target `W` of an edge, made of the value that flows.
pub fn accept<W: Accepts<V>, V>(value: V) -> W {
    W::accept(value)
}

/// `Step(value)` on an edge: what the task accepts. A tuple struct has an inherent function of this name, which comes
/// first and is its constructor.
pub trait Made: Sized {
    /// The payload made of the value.
    #[doc(hidden)]
    fn __evertask_of<V>((value,): (V,)) -> Self
    where
        Self: Accepts<V>,
    {
        Self::accept(value)
    }
}

impl<T> Made for T {}

/// The payload of the target `W` of an edge, made of whatever went wrong with `T`.
pub fn accept_failure<W: AcceptsFailure<T, Via>, T: Work, Via>(failure: Failure<T>) -> W {
    W::accept_failure(failure)
}

/// The same for one target of several: the last one gets the failure itself.
pub fn accept_shared_failure<W: AcceptsSharedFailure<T, Via>, T: Work, Via>(failure: &Failure<T>) -> W {
    W::accept_shared_failure(failure)
}

/// `Self` accepts what went wrong with `T`, and leaves it for others.
#[diagnostic::on_unimplemented(
    message = "a failure of `{T}` cannot flow into task `{Self}` and others",
    label = "`{Self}` accepts no failure of `{T}` that others get too",
    note = "each target gets its own failure: write `impl From<FailureReport> for {Self}`, or give each payload on the edge, as in `on_failure(f) => [{Self} {{ .. }}, ..]`"
)]
pub trait AcceptsSharedFailure<T: Work, Via>: Work {
    /// The payload made of the failure.
    fn accept_shared_failure(failure: &Failure<T>) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Work, W: Work + From<FailureReport>> AcceptsSharedFailure<T, ViaReport> for W {
    fn accept_shared_failure(failure: &Failure<T>) -> Self {
        failure.report().into()
    }
}

#[diagnostic::do_not_recommend]
impl<T: Work + Clone, W: Work + From<Failure<T>>> AcceptsSharedFailure<T, ViaFailure> for W
where
    T::Error: Clone,
{
    fn accept_shared_failure(failure: &Failure<T>) -> Self {
        let Failure { payload, cause, attempts, id } = failure;
        Failure { payload: payload.clone(), cause: cause.clone(), attempts: *attempts, id: *id }.into()
    }
}

/// One value for several targets: all but the last get a clone.
pub fn share<V: Shared>(value: &V) -> V {
    value.share()
}

/// A value that may flow to several targets.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot flow to several tasks",
    label = "each task gets its own `{Self}`, and it can't be cloned",
    note = "derive `Clone` for `{Self}`, or give each payload on the edge"
)]
pub trait Shared {
    /// A clone.
    #[must_use]
    fn share(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> Shared for T {
    fn share(&self) -> Self {
        self.clone()
    }
}

/// What flows into a bare `done`.
pub fn output<O: OutputFrom<V>, V>(value: V) -> O {
    O::output_from(value)
}

/// `Self`, the output of a workflow, is made from what a step gives.
#[diagnostic::on_unimplemented(
    message = "`{V}` is not the output of this workflow",
    label = "the workflow promises `{Self}`",
    note = "`done` passes the value on by `From`: write `impl From<{V}> for {Self}`, or say the output: `done(..)`"
)]
pub trait OutputFrom<V> {
    /// The output.
    fn output_from(value: V) -> Self;
}

#[diagnostic::do_not_recommend]
impl<V, O: From<V>> OutputFrom<V> for O {
    fn output_from(value: V) -> Self {
        value.into()
    }
}

/// The output of a block that promises none.
#[derive(Debug)]
pub enum NoOutput {}

/// A step that nothing follows: its output is `()`, or it is the workflow's.
#[diagnostic::on_unimplemented(
    message = "the output `{Self}` of this step goes nowhere",
    label = "nothing follows this step",
    note = "an output may not vanish: let it flow into a step, or say how the branch ends: `on_ok => end`, `on_ok => done(..)` or `on_ok(..) => fail(..)`"
)]
pub trait EndsIn<O, Via> {
    /// The run's output, if this is one.
    fn end_in(self) -> Option<O>;
}

/// How a branch ends: without an output.
#[derive(Debug)]
pub enum WithNothing {}
/// How a branch ends: with the workflow's output.
#[derive(Debug)]
pub enum WithOutput {}

#[diagnostic::do_not_recommend]
impl<O> EndsIn<O, WithNothing> for () {
    fn end_in(self) -> Option<O> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<V, O: From<V>> EndsIn<O, WithOutput> for V {
    fn end_in(self) -> Option<O> {
        Some(self.into())
    }
}

/// Ends a branch whose last step gives `value`, in a block without an output.
pub fn end_branch<V: EndsIn<NoOutput, WithNothing>>(_value: V) {}

/// Ends a branch whose last step gives `value`, in a block that promises an output.
pub fn end_branch_in<W: Work, V: EndsIn<W::Output, Via>, Via>(value: V, next: &mut Next<'_>) -> Result<(), RouteError> {
    match value.end_in() {
        Some(output) => next.done(&output),
        None => Ok(()),
    }
}

/// The output of a run of `W`.
pub fn done<W: Work>(output: &W::Output, next: &mut Next<'_>) -> Result<(), RouteError> {
    next.done(output)
}

/// The arms of a task that has none.
#[derive(Debug)]
pub enum NoArms {}

impl<W: Work> Route<W> for NoArms {
    fn route(ended: Ended<W>, _: Stored<'_>, next: &mut Next<'_>) -> Result<(), RouteError> {
        if let Ended::Failed(fault) = ended {
            next.unrouted(fault.report());
        }
        Ok(())
    }
}

/// How the errors of `T` are stored. The inherent function answers if they can be, that of [`NotStored`] if not.
#[derive(Debug)]
pub struct ErrorsOf<T>(PhantomData<T>);

impl<T> ErrorsOf<T> {
    /// Of this task.
    pub const NEW: Self = Self(PhantomData);
}

impl<T: Handler> ErrorsOf<T>
where
    T::Error: Serialize + DeserializeOwned,
{
    /// As JSON.
    pub fn codec(&self) -> ErrorCodec {
        ErrorCodec::json::<T::Error>()
    }
}

/// What [`ErrorsOf`] answers where errors can't be stored.
pub trait NotStored {
    /// Not at all.
    fn codec(&self) -> ErrorCodec;
}

impl<T> NotStored for ErrorsOf<T> {
    fn codec(&self) -> ErrorCodec {
        ErrorCodec::NONE
    }
}

/// How a stored payload of `T` becomes what the store adds. The inherent constant says it for all that can be stored,
/// that of [`NotPrepared`] for what can't, which is an error of its own, at the implementation of [`Work`].
#[derive(Debug)]
pub struct PreparedOf<T>(PhantomData<T>);

impl<W: Work> PreparedOf<W> {
    /// By its `Payload` and its `prepare`.
    pub const PREPARE: Prepare = prepare_stored::<W>;
}

/// What [`PreparedOf`] answers where payloads can't be stored.
pub trait NotPrepared {
    /// Not at all.
    const PREPARE: Prepare;
}

impl<T> NotPrepared for PreparedOf<T> {
    const PREPARE: Prepare =
        |_, _| Err(CodecError::Decode { what: std::any::type_name::<T>(), reason: "it can't be stored".to_owned() });
}

/// What a `retry_if` function answers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether to try again",
    label = "neither `bool` nor `RetryAdvice`",
    note = "the function of `retry_if` returns a `bool`, or a `RetryAdvice` such as `RetryAdvice::After(..)`"
)]
pub trait SaysRetry {
    /// As advice.
    fn advice(self) -> RetryAdvice;
}

#[diagnostic::do_not_recommend]
impl<A: Into<RetryAdvice>> SaysRetry for A {
    fn advice(self) -> RetryAdvice {
        self.into()
    }
}

/// What the function of `retry_if` says of this error.
pub fn ask<E, A: SaysRetry>(function: fn(&E) -> A, error: &E) -> RetryAdvice {
    function(error).advice()
}

/// What the errors of `T` say of another attempt. The inherent function answers if they say something, that of
/// [`NoHint`] if not.
#[derive(Debug)]
pub struct HintsOf<T>(PhantomData<T>);

impl<T> HintsOf<T> {
    /// Of this task.
    pub const NEW: Self = Self(PhantomData);
}

impl<T: Handler> HintsOf<T>
where
    T::Error: RetryHint,
{
    /// What the error says.
    pub fn hint(&self) -> Hint {
        Hint::of::<T::Error>()
    }
}

/// What [`HintsOf`] answers where errors say nothing.
pub trait NoHint {
    /// As usual.
    fn hint(&self) -> Hint;
}

impl<T> NoHint for HintsOf<T> {
    fn hint(&self) -> Hint {
        Hint::NONE
    }
}

/// The text of the key of a limit.
pub fn limit_key<K: LimitKey + ?Sized>(key: &K) -> Option<String> {
    Some(key.text())
}

/// `<T as Payload>::encode`, said where the type is written: a type that can't be stored is one error there.
pub type Encode<T> = fn(&T, &mut Vec<u8>) -> Result<(), CodecError>;

/// `<T as Payload>::decode`.
pub type Decode<T> = fn(&[u8]) -> Result<T, CodecError>;

/// The JSON object of a task function's arguments, written field by field.
#[derive(Debug)]
pub struct FieldWriter<'a> {
    into: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> FieldWriter<'a> {
    /// Begins the object.
    pub fn new(into: &'a mut Vec<u8>) -> Self {
        into.push(b'{');
        Self { into, empty: true }
    }

    /// One argument. Its name is a Rust identifier, which needs no escapes.
    pub fn field<T>(&mut self, name: &str, value: &T, encode: Encode<T>) -> Result<(), CodecError> {
        if !std::mem::replace(&mut self.empty, false) {
            self.into.push(b',');
        }
        self.into.push(b'"');
        self.into.extend_from_slice(name.as_bytes());
        self.into.extend_from_slice(b"\":");
        encode(value, self.into)
    }

    /// Ends the object.
    pub fn end(self) {
        self.into.push(b'}');
    }
}

/// The JSON object of a task function's arguments, read field by field. Fields that nobody asks for are ignored.
#[derive(Debug)]
pub struct FieldReader<'a> {
    task: &'static str,
    fields: BTreeMap<&'a str, &'a RawValue>,
}

impl<'a> FieldReader<'a> {
    /// Reads the object.
    pub fn new(task: &'static str, stored: &'a [u8]) -> Result<Self, CodecError> {
        serde_json::from_slice(stored)
            .map(|fields| Self { task, fields })
            .map_err(|error| CodecError::Decode { what: task, reason: error.to_string() })
    }

    /// One argument. One that is missing is read as `null`, so that an `Option` can be added later.
    pub fn field<T>(&self, name: &str, decode: Decode<T>) -> Result<T, CodecError> {
        let stored = self.fields.get(name).map_or("null", |raw| raw.get());
        decode(stored.as_bytes()).map_err(|error| CodecError::Decode {
            what: self.task,
            reason: if self.fields.contains_key(name) {
                format!("argument `{name}`: {error}")
            } else {
                format!("argument `{name}` is missing")
            },
        })
    }
}

/// The JSON of a payload.
pub fn encode<T: Payload>(payload: &T) -> Result<Vec<u8>, CodecError> {
    let mut stored = Vec::new();
    payload.encode(&mut stored)?;
    Ok(stored)
}

/// The JSON of the payload that a schedule gives to each run.
pub fn scheduled<W: Accepts<V>, V>(value: V) -> Result<Vec<u8>, CodecError> {
    encode(&W::accept(value))
}

/// Starts a run: `first` is its first task, which runs `step` of a block, or its own standing chain.
pub fn start<T: Task>(
    draft: Draft,
    entry: &'static WorkflowEntry,
    input: Vec<u8>,
    step: Option<&'static StepEntry>,
    first: &T,
) -> Result<NewWork, CodecError> {
    draft.run(entry, input, step, first).map(|run| NewWork::Run(Box::new(run)))
}
