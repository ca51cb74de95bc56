//! The plain traits that the macros implement: a handler, a task, what can be dispatched, what flows where.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::advice::{RetryAdvice, RetryHint};
use crate::context::Context;
use crate::failure::{Cause, Failure, FailureReport};
use crate::id::{TaskId, WorkId};
use crate::limits::{Limit, LimitKeys};
use crate::payload::{CodecError, Payload};
use crate::registry::{Registered, TaskEntry, WorkflowEntry};
use crate::schedule::Retry;
use crate::store::{NewWork, Rate};
use crate::workflow::{Draft, Graph};

/// What a task does. A `#[task]` function gets it from the macro; a `#[task]` struct implements it.
///
/// ```
/// use evertask::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[task(timeout = "1m")]
/// #[derive(Serialize, Deserialize)]
/// struct SendReceipt {
///     order: u64,
/// }
///
/// impl Handler for SendReceipt {
///     type Output = String;
///     type Error = String;
///
///     async fn run(self, cx: &Context) -> Result<String, String> {
///         cx.log(format!("a receipt for order {}", self.order));
///         Ok(format!("receipt-{}", self.order))
///     }
///
///     async fn on_error(&self, cause: &Cause<String>, _cx: &Context) {
///         eprintln!("no receipt for order {}: {cause}", self.order);
///     }
/// }
/// ```
///
/// The hooks are side notes, and run within the attempt: nothing that must happen belongs in one, an edge
/// never depends on one, and one that panics, or takes more than five seconds, changes nothing but the log.
#[diagnostic::on_unimplemented(
    message = "the task `{Self}` has no handler",
    label = "no `impl Handler for {Self}`",
    note = "a `#[task]` struct says what it does in `impl Handler for {Self}`"
)]
pub trait Handler: Sized + Send + Sync + 'static {
    /// What it gives when it succeeds. It is stored, and flows along `on_ok`.
    type Output: Payload;
    /// What it fails with. Where it is a [`Payload`] too, [`Handle::wait`](crate::Handle::wait) gives it back typed.
    type Error: fmt::Display + Send + Sync + 'static;

    /// One attempt.
    fn run(self, cx: &Context) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;

    /// An attempt begins.
    fn on_started(&self, cx: &Context) -> impl Future<Output = ()> + Send {
        let _ = cx;
        async {}
    }

    /// An attempt failed, and another follows in `delay`.
    fn on_retry(&self, cause: &Cause<Self::Error>, delay: Duration, cx: &Context) -> impl Future<Output = ()> + Send {
        let _ = (cause, delay, cx);
        async {}
    }

    /// The handler succeeded; the commit of that, with what follows, is next.
    fn on_completed(&self, output: &Self::Output, cx: &Context) -> impl Future<Output = ()> + Send {
        let _ = (output, cx);
        async {}
    }

    /// The task ends without success: an error, a time-out, a panic, a crash or a cancel. Never a shutdown.
    fn on_error(&self, cause: &Cause<Self::Error>, cx: &Context) -> impl Future<Output = ()> + Send {
        let _ = (cause, cx);
        async {}
    }
}

/// A handler with a name on disk and its options. `#[task]` implements it.
pub trait Task: Handler + Payload {
    /// The name that is stored. It must not change while tasks of it wait.
    const NAME: &'static str;
    /// Whether the handler may have hooks of its own.
    const HOOKS: bool = true;

    /// What the macro knows of this task.
    fn entry() -> &'static TaskEntry;

    /// Whether and when an attempt that failed with this error is repeated: what `retry_if` says, or the error itself
    /// (see [`RetryHint`](crate::RetryHint)).
    fn retry_advice(error: &Self::Error) -> RetryAdvice {
        (Self::hint().advice)(error)
    }

    /// What its errors say of another attempt, if their type says something.
    #[doc(hidden)]
    fn hint() -> Hint {
        Hint::NONE
    }

    /// What its keyed limits count by.
    #[doc(hidden)]
    fn limit_keys(&self) -> LimitKeys {
        LimitKeys::default()
    }

    /// How its errors are stored, if their type can be.
    #[doc(hidden)]
    fn error_codec() -> ErrorCodec {
        ErrorCodec::NONE
    }

    /// Stores an error, where its type can be stored.
    fn encode_error(error: &Self::Error) -> Option<Vec<u8>> {
        (Self::error_codec().encode)(error)
    }

    /// Reads an error back, where its type can be stored.
    fn decode_error(stored: &[u8]) -> Option<Self::Error> {
        (Self::error_codec().decode)(stored)?.downcast().ok().map(|error| *error)
    }
}

/// How the errors of a task are stored. It does not name their type, so that what generates it need not know it.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct ErrorCodec {
    encode: fn(&dyn Any) -> Option<Vec<u8>>,
    decode: fn(&[u8]) -> Option<Box<dyn Any>>,
}

impl ErrorCodec {
    /// Not at all.
    pub const NONE: Self = Self { encode: |_| None, decode: |_| None };

    /// As JSON.
    pub(crate) fn json<E: Serialize + DeserializeOwned + 'static>() -> Self {
        Self {
            encode: |error| serde_json::to_vec(error.downcast_ref::<E>()?).ok(),
            decode: |stored| serde_json::from_slice::<E>(stored).ok().map(|error| Box::new(error) as Box<dyn Any>),
        }
    }
}

/// What the errors of a task say of another attempt. Like [`ErrorCodec`], it does not name their type.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Hint {
    advice: fn(&dyn Any) -> RetryAdvice,
}

impl Hint {
    /// Nothing.
    pub const NONE: Self = Self { advice: |_| RetryAdvice::Usual };

    /// What the error says itself.
    pub(crate) fn of<E: RetryHint + 'static>() -> Self {
        Self { advice: |error| error.downcast_ref::<E>().map_or(RetryAdvice::Usual, E::retry) }
    }
}

/// How a task runs when nothing else is said. `#[task(..)]` makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskOptions {
    /// The queue it waits in.
    pub queue: &'static str,
    /// Higher runs first.
    pub priority: i16,
    /// The longest that one attempt may take.
    pub timeout: Option<Duration>,
    /// The longest that it may take in all, from when it is first due.
    pub deadline: Option<Duration>,
    /// How it is tried again; as its queue says, if it says nothing.
    pub retry: Option<Retry>,
    /// How many tasks that share this limit may start in a time.
    pub rate_limit: Option<Limit<Rate>>,
    /// How many tasks that share this limit may run at once.
    pub concurrency: Option<Limit<u32>>,
}

impl TaskOptions {
    /// Queue `default`, priority 0, no time-out, no deadline, no retry but the queue's, no limits.
    pub const DEFAULT: Self = Self {
        queue: crate::DEFAULT_QUEUE,
        priority: 0,
        timeout: None,
        deadline: None,
        retry: None,
        rate_limit: None,
        concurrency: None,
    };
}

/// What can be dispatched, awaited and cancelled: a task or a workflow.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a task nor a workflow",
    label = "not a task",
    note = "a task is a function or a struct with `#[task]`, a workflow one with `#[workflow]` or a `workflow!` block"
)]
pub trait Work: Payload {
    /// What it gives when it succeeds.
    type Output: Payload;
    /// What it fails with.
    type Error: fmt::Display + Send + Sync + 'static;
    /// [`TaskId`] or [`RunId`](crate::RunId).
    type Id: Copy + Into<WorkId> + fmt::Display + Send + Sync + 'static;
    /// The name that is stored.
    const NAME: &'static str;

    /// What the store needs to start it.
    #[doc(hidden)]
    fn prepare(self, draft: Draft) -> Result<NewWork, CodecError>;

    /// What the macro knows of it.
    #[doc(hidden)]
    fn registered() -> Registered;

    /// Its id, from the one that the store gave.
    #[doc(hidden)]
    fn id(id: WorkId) -> Option<Self::Id>;

    /// A stored error, typed, where its type can be stored.
    #[doc(hidden)]
    fn typed_error(report: &FailureReport, stored: Option<&[u8]>) -> Option<Self::Error>;
}

impl<T: Task> Work for T {
    type Output = <T as Handler>::Output;
    type Error = <T as Handler>::Error;
    type Id = TaskId;
    const NAME: &'static str = <T as Task>::NAME;

    fn prepare(self, draft: Draft) -> Result<NewWork, CodecError> {
        draft.task(&self, None).map(NewWork::Task)
    }

    fn registered() -> Registered {
        Registered::Task(T::entry())
    }

    fn id(id: WorkId) -> Option<TaskId> {
        match id {
            WorkId::Task(id) => Some(id),
            WorkId::Run(_) => None,
        }
    }

    fn typed_error(_: &FailureReport, stored: Option<&[u8]>) -> Option<Self::Error> {
        stored.and_then(T::decode_error)
    }
}

/// A workflow: its payload starts a run. `workflow!` and `#[workflow]` implement it.
///
/// ```
/// use evertask::{prelude::*, workflow};
///
/// #[task]
/// async fn knock() -> Result<(), String> {
///     Ok(())
/// }
///
/// workflow! {
///     /// Knocks, and goes away.
///     Visit<()> { knock { on_ok => end } }
/// }
///
/// let picture = Visit::graph().mermaid();
/// assert!(picture.starts_with("flowchart"));
/// ```
pub trait Workflow: Work<Error = FailureReport, Id = crate::RunId> {
    /// What the macro knows of this workflow.
    fn entry() -> &'static WorkflowEntry;

    /// The static graph: what can follow what. It renders as SVG, as Mermaid and as DOT.
    fn graph() -> Graph {
        Self::entry().graph()
    }
}

/// `Self` accepts a `V` that flows along an edge: by `From`.
#[diagnostic::on_unimplemented(
    message = "`{V}` cannot flow into task `{Self}`",
    label = "`{Self}` does not accept `{V}`",
    note = "an edge passes a value on by `From`: write `impl From<{V}> for {Self}`, or give the payload on the edge, as in `=> {Self} {{ .. }}` or `=> {Self}(..)`"
)]
pub trait Accepts<V>: Work {
    /// The payload made of the value.
    fn accept(value: V) -> Self;
}

#[diagnostic::do_not_recommend]
impl<V, W: Work + From<V>> Accepts<V> for W {
    fn accept(value: V) -> Self {
        value.into()
    }
}

/// `Self` accepts whatever went wrong with `T`: it is made from a `Failure<T>` or a [`FailureReport`].
#[diagnostic::on_unimplemented(
    message = "a failure of `{T}` cannot flow into task `{Self}`",
    label = "`{Self}` accepts no failure of `{T}`",
    note = "this arm also catches panics and time-outs, so it passes a `Failure<{T}>`: write `impl From<FailureReport> for {Self}`, or give the payload on the edge, as in `on_failure(f) => {Self} {{ .. }}`; `on_err(e)` takes the task's own error alone"
)]
pub trait AcceptsFailure<T: Work, Via>: Work {
    /// The payload made of the failure.
    fn accept_failure(failure: Failure<T>) -> Self;
}

/// How a failure flows: typed.
#[derive(Debug)]
pub enum ViaFailure {}
/// How a failure flows: as a report.
#[derive(Debug)]
pub enum ViaReport {}

#[diagnostic::do_not_recommend]
impl<T: Work, W: Work + From<Failure<T>>> AcceptsFailure<T, ViaFailure> for W {
    fn accept_failure(failure: Failure<T>) -> Self {
        failure.into()
    }
}

#[diagnostic::do_not_recommend]
impl<T: Work, W: Work + From<FailureReport>> AcceptsFailure<T, ViaReport> for W {
    fn accept_failure(failure: Failure<T>) -> Self {
        FailureReport::from(failure).into()
    }
}
