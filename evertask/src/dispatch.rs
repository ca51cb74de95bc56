//! What to dispatch, and how: work with its options.

use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::duration::{DurationError, IntoDuration};
use crate::id::{TaskId, WorkId};
use crate::payload::CodecError;
use crate::schedule::{Retry, Timestamp};
use crate::store::{NewWork, OnKey, StoreError};
use crate::task::Work;
use crate::terms::DraftTerms;
use crate::workflow::Draft;

/// The longest idempotency key and correlation id, in bytes.
pub const MAX_KEY: usize = 512;

/// The largest payload of a dispatch, output of a task and value of a signal, in bytes of JSON, unless
/// [`max_payload`](crate::Dispatcher::max_payload) says otherwise: 1 MiB. What is larger belongs into a file or an
/// object store, and its name into the payload or the output.
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
    room: Option<Duration>,
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
        Dispatch { work: self, draft: Draft::default(), room: None, mistake: None }
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
        self.into_dispatch().with(delay, |dispatch, delay| dispatch.draft.delay = Some(delay))
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

    /// What happens when the key is taken: see [`OnKey`]. Without a key it says nothing.
    ///
    /// ```
    /// use evertask::{DispatchError, Dispatcher, OnKey, prelude::*};
    /// # #[task]
    /// # async fn send_email(to: String) -> Result<(), String> { Ok(drop(to)) }
    ///
    /// # async fn welcome(dispatcher: &Dispatcher) -> Result<(), DispatchError> {
    /// let mail = send_email { to: "ada@example.org".into() };
    /// match dispatcher.dispatch(mail.key("welcome-7").on_key(OnKey::Refuse)).await {
    ///     Err(DispatchError::KeyTaken { id, .. }) => println!("welcomed already, by {id}"),
    ///     dispatched => drop(dispatched?),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    fn on_key(self, on_key: OnKey) -> Dispatch<Self::Work> {
        let mut dispatch = self.into_dispatch();
        dispatch.terms().on_key = on_key;
        dispatch
    }

    /// How it is tried again, instead of what its task or its queue says. A workflow's first step has it.
    fn retry(self, retry: Retry) -> Dispatch<Self::Work> {
        let mut dispatch = self.into_dispatch();
        dispatch.terms().own.retry = Some(retry);
        dispatch
    }

    /// The longest that one attempt may take, instead of what its task says; of a workflow, that its run may.
    fn timeout(self, timeout: impl IntoDuration) -> Dispatch<Self::Work> {
        self.into_dispatch().with(timeout, |dispatch, timeout| dispatch.terms().own.timeout = Some(timeout))
    }

    /// The longest that it may take in all, from when it is first due: its waits, its attempts and the pauses between
    /// them. What has not succeeded by then fails with [`Cause::DeadlinePassed`](crate::Cause::DeadlinePassed).
    fn deadline(self, deadline: impl IntoDuration) -> Dispatch<Self::Work> {
        self.into_dispatch().with(deadline, |dispatch, deadline| dispatch.terms().deadline = Some(deadline))
    }

    /// Waits for so long for room, if its queue is full. Without this, a full queue is an error at once.
    ///
    /// A handler never waits, because its queue may be full of what waits for it: there it is an error at once too.
    /// What a handler dispatches with its [`Context`](crate::Context) needs no room.
    fn wait_for_room(self, patience: impl IntoDuration) -> Dispatch<Self::Work> {
        self.into_dispatch().with(patience, |dispatch, patience| dispatch.room = Some(patience))
    }

    /// What it belongs to. Whatever follows it inherits this.
    fn correlation_id(self, correlation: impl Into<String>) -> Dispatch<Self::Work> {
        let mut dispatch = self.into_dispatch();
        dispatch.draft.correlation = Some(correlation.into());
        dispatch
    }
}

impl<D: IntoDispatch> DispatchOptions for D {}

impl<W> Dispatch<W> {
    fn with(mut self, length: impl IntoDuration, set: impl FnOnce(&mut Self, Duration)) -> Self {
        match length.into_duration() {
            Ok(length) => set(&mut self, length),
            Err(mistake) => self.mistake = Some(mistake),
        }
        self
    }

    fn terms(&mut self) -> &mut DraftTerms {
        self.draft.terms.get_or_insert_default()
    }

    /// The work, what is known of it, and how long it waits for room.
    pub(crate) fn into_parts(self) -> Result<(W, Draft, Option<Duration>), DispatchError>
    where
        W: Work,
    {
        if let Some(mistake) = self.mistake {
            return Err(DispatchError::Delay { name: W::NAME, mistake });
        }
        if let Some((what, length)) = overlong(&self.draft) {
            return Err(DispatchError::Length { name: W::NAME, what, length });
        }
        Ok((self.work, self.draft, self.room))
    }

    /// How long it waits for room in its queue.
    pub(crate) fn room(&self) -> Option<Duration> {
        self.room
    }
}

impl<W: Work> Dispatch<W> {
    /// What the store adds, and its id.
    pub(crate) fn prepare(
        self,
        id: Uuid,
        parent: Option<TaskId>,
        correlation: Option<&str>,
        max_payload: usize,
    ) -> Result<(NewWork, W::Id), DispatchError> {
        let (work, mut draft, _) = self.into_parts()?;
        draft.id = id;
        draft.parent = parent;
        draft.correlation = draft.correlation.or_else(|| correlation.map(str::to_owned));
        let new = work.prepare(draft)?;
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

/// Which text of a draft is empty or too long, if one is, and its length.
pub(crate) fn overlong(draft: &Draft) -> Option<(&'static str, usize)> {
    let texts = [("key", &draft.key), ("correlation id", &draft.correlation), ("queue", &draft.queue)];
    let lengths = texts.into_iter().filter_map(|(what, text)| Some((what, text.as_ref()?.len())));
    lengths.into_iter().find(|(_, length)| !(1..=MAX_KEY).contains(length))
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
    Store(StoreError),
    /// As many tasks wait in the queue as may, or it is being drained.
    #[error("the queue `{queue}` takes no more: {reason}")]
    QueueFull {
        /// The queue.
        queue: String,
        /// In numbers.
        reason: String,
    },
    /// The key is taken, and that was to be an error: [`OnKey::Refuse`].
    #[error("the key `{key}` of `{name}` is taken by {id}")]
    KeyTaken {
        /// The task or workflow.
        name: String,
        /// The key.
        key: String,
        /// Who has it.
        id: WorkId,
    },
    /// A delay, a time-out, a deadline or a patience can't be read.
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
    /// The handler has ended its task before, with `complete_in`: what belongs to the task is dispatched before that.
    #[error("`{name}` was not dispatched: the task that dispatches it has ended itself before")]
    Completed {
        /// The task or workflow.
        name: &'static str,
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

impl From<StoreError> for DispatchError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::QueueFull { queue, reason } => Self::QueueFull { queue, reason },
            StoreError::KeyTaken { name, key, id } => Self::KeyTaken { name, key, id },
            error => Self::Store(error),
        }
    }
}
