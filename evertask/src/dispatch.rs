//! What to dispatch, and how: work with its options.

use std::time::SystemTime;

use uuid::Uuid;

use crate::duration::{DurationError, IntoDuration};
use crate::id::{TaskId, WorkId};
use crate::payload::CodecError;
use crate::schedule::Timestamp;
use crate::store::{NewWork, StoreError};
use crate::task::Work;
use crate::workflow::Draft;

/// The longest idempotency key and correlation id, in bytes.
pub const MAX_KEY: usize = 512;

/// The largest payload of a dispatch and value of a signal, in bytes of JSON, unless
/// [`max_payload`](crate::Dispatcher::max_payload) says otherwise: 1 MiB. What is larger belongs into a file or an
/// object store, and its name into the payload.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// Work with its options, ready to be dispatched.
///
/// ```
/// use evertask::prelude::*;
///
/// #[task]
/// async fn send_email(to: String) -> Result<(), String> {
///     println!("to {to}");
///     Ok(())
/// }
///
/// let welcome = send_email { to: "ada@example.org".into() }.after("10m").key("welcome-7");
/// # drop(welcome);
/// ```
#[derive(Debug, Clone)]
#[must_use = "work runs only when it is dispatched"]
pub struct Dispatch<W> {
    work: W,
    draft: Draft,
    mistake: Option<DurationError>,
}

/// What can be handed to `dispatch`: a task, a workflow, or either with options.
pub trait IntoDispatch {
    /// The task or workflow.
    type Work: Work;
    /// With its options.
    fn into_dispatch(self) -> Dispatch<Self::Work>;
}

impl<W: Work> IntoDispatch for W {
    type Work = W;

    fn into_dispatch(self) -> Dispatch<W> {
        Dispatch { work: self, draft: Draft::default(), mistake: None }
    }
}

impl<W: Work> IntoDispatch for Dispatch<W> {
    type Work = W;

    fn into_dispatch(self) -> Dispatch<W> {
        self
    }
}

/// The options of a dispatch, on everything that can be dispatched.
pub trait DispatchOptions: IntoDispatch + Sized {
    /// Runs it this much later: `"10m"`, or a `Duration`. A delay that can't be read is an error of the dispatch.
    fn after(self, delay: impl IntoDuration) -> Dispatch<Self::Work> {
        let mut dispatch = self.into_dispatch();
        match delay.into_duration() {
            Ok(delay) => dispatch.draft.delay = Some(delay),
            Err(mistake) => dispatch.mistake = Some(mistake),
        }
        dispatch
    }

    /// Runs it at this time, or at once if that is past.
    fn at(self, time: impl Into<SystemTime>) -> Dispatch<Self::Work> {
        let mut dispatch = self.into_dispatch();
        dispatch.draft.at = Some(Timestamp::from(time.into()));
        dispatch
    }

    /// Higher runs first within a queue. A workflow's first step has it, the later ones have their tasks'.
    fn priority(self, priority: i16) -> Dispatch<Self::Work> {
        let mut dispatch = self.into_dispatch();
        dispatch.draft.priority = Some(priority);
        dispatch
    }

    /// Puts it in this queue instead of the task's own.
    fn queue(self, queue: impl Into<String>) -> Dispatch<Self::Work> {
        let mut dispatch = self.into_dispatch();
        dispatch.draft.queue = Some(queue.into());
        dispatch
    }

    /// The idempotency key. Work of the same name that has it, ended or not, is given back instead.
    fn key(self, key: impl Into<String>) -> Dispatch<Self::Work> {
        let mut dispatch = self.into_dispatch();
        dispatch.draft.key = Some(key.into());
        dispatch
    }

    /// What it belongs to. Whatever follows it inherits this.
    fn correlation_id(self, correlation: impl Into<String>) -> Dispatch<Self::Work> {
        let mut dispatch = self.into_dispatch();
        dispatch.draft.correlation = Some(correlation.into());
        dispatch
    }
}

impl<D: IntoDispatch> DispatchOptions for D {}

impl<W: Work> Dispatch<W> {
    /// What the store adds, and its id.
    pub(crate) fn prepare(
        self,
        id: Uuid,
        parent: Option<TaskId>,
        correlation: Option<&str>,
        max_payload: usize,
    ) -> Result<(NewWork, W::Id), DispatchError> {
        if let Some(mistake) = self.mistake {
            return Err(DispatchError::Delay { name: W::NAME, mistake });
        }
        let mut draft = self.draft;
        for (what, text) in [("key", &draft.key), ("correlation id", &draft.correlation), ("queue", &draft.queue)] {
            if let Some(text) = text.as_ref().filter(|text| text.is_empty() || text.len() > MAX_KEY) {
                return Err(DispatchError::Length { name: W::NAME, what, length: text.len() });
            }
        }
        draft.id = id;
        draft.parent = parent;
        draft.correlation = draft.correlation.or_else(|| correlation.map(str::to_owned));
        let new = self.work.prepare(draft)?;
        let (id, length) = match &new {
            NewWork::Task(task) => (WorkId::Task(task.id), task.payload.len()),
            NewWork::Run(run) => (WorkId::Run(run.id), run.input.len()),
            // Only an edge of a block makes one.
            NewWork::Each(each) => (WorkId::Task(each.id.into()), 0),
        };
        if length > max_payload {
            return Err(DispatchError::TooLarge { name: W::NAME, length, limit: max_payload });
        }
        Ok((new, crate::context::typed_id::<W>(id)?))
    }
}

/// Work could not be dispatched. Nothing was added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DispatchError {
    /// The payload has no JSON form.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The delay can't be read.
    #[error("`{name}` was not dispatched: {mistake}")]
    Delay {
        /// The task or workflow.
        name: &'static str,
        /// What is wrong.
        mistake: DurationError,
    },
    /// A key, a correlation id or a queue's name is empty or too long.
    #[error("`{name}` was not dispatched: its {what} has {length} bytes, and must have 1 to {MAX_KEY}")]
    Length {
        /// The task or workflow.
        name: &'static str,
        /// Which text.
        what: &'static str,
        /// Its length.
        length: usize,
    },
    /// The payload, or the value of a signal, is too large: see [`MAX_PAYLOAD`].
    #[error("`{name}` was not given its payload: it has {length} bytes, and may have {limit}")]
    TooLarge {
        /// The task, the workflow, or the step that waits for the signal.
        name: &'static str,
        /// Its length, in bytes of JSON.
        length: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// The store answered with a run for a task, or the other way round.
    #[error("`{name}` is stored as another kind of work: {id}")]
    Kind {
        /// The task or workflow.
        name: &'static str,
        /// What the store has.
        id: WorkId,
    },
}
