//! What a dispatch gives back: the work's id, and its end.

use std::fmt;
use std::sync::Arc;

use crate::failure::FailureReport;
use crate::id::WorkId;
use crate::payload::{CodecError, Payload};
use crate::store::{CancelOutcome, RunState, Selection, Store, StoreError, TaskState};
use crate::task::Work;

/// Work that was dispatched.
///
/// ```standalone_crate
/// use evertask::{Dispatcher, RunError, prelude::*};
///
/// #[task]
/// async fn halve(number: u64) -> Result<u64, String> {
///     if number % 2 == 0 { Ok(number / 2) } else { Err(format!("{number} is odd")) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let dispatcher = Dispatcher::open("memory:").await?;
/// let worker = dispatcher.worker().start().await?;
/// let odd = dispatcher.dispatch(halve { number: 7 }).await?;
/// match odd.wait().await {
///     Err(RunError::Failed { error, .. }) => assert_eq!(error.as_deref(), Some("7 is odd")),
///     other => panic!("{other:?}"),
/// }
/// assert!(odd.status().await?.is_terminal());
/// # worker.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct Handle<W: Work> {
    store: Arc<dyn Store>,
    id: W::Id,
    existing: bool,
}

/// How far dispatched work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A task.
    Task(TaskState),
    /// A run of a workflow.
    Run(RunState),
}

impl Status {
    /// Whether nothing changes it any more.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Task(state) => state.is_terminal(),
            Self::Run(state) => state.is_terminal(),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(state) => state.fmt(f),
            Self::Run(state) => state.fmt(f),
        }
    }
}

/// What is stored of work, as far as its end goes.
struct Seen {
    status: Status,
    output: Option<Vec<u8>>,
    failure: Option<FailureReport>,
    error: Option<Vec<u8>>,
}

impl<W: Work> Handle<W> {
    pub(crate) fn new(store: Arc<dyn Store>, id: W::Id, existing: bool) -> Self {
        Self { store, id, existing }
    }

    /// Its id.
    pub fn id(&self) -> W::Id {
        self.id
    }

    /// Whether the dispatch found its key taken, and this is the work that has it.
    pub fn is_existing(&self) -> bool {
        self.existing
    }

    /// How far it is.
    pub async fn status(&self) -> Result<Status, RunError<W::Error>> {
        Ok(self.look().await?.status)
    }

    /// Cancels it. What waits ends now; what runs is told, and has its worker's grace period.
    pub async fn cancel(&self) -> Result<CancelOutcome, StoreError> {
        let outcomes = self.store.cancel(Selection::Ids(vec![self.id.into()])).await?;
        Ok(outcomes.first().map_or(CancelOutcome::NotFound, |(_, outcome)| *outcome))
    }

    /// Waits for its end, and gives its output, or why there is none.
    ///
    /// Work that is parked has not ended: it goes on when a worker that knows it starts.
    pub async fn wait(&self) -> Result<W::Output, RunError<W::Error>> {
        loop {
            let seen = self.look().await?;
            match seen.status {
                Status::Task(TaskState::Succeeded) | Status::Run(RunState::Succeeded) => {
                    return Ok(W::Output::decode(seen.output.as_deref().unwrap_or(b"null"))?);
                }
                Status::Task(TaskState::Failed) | Status::Run(RunState::Failed) => {
                    return Err(match seen.failure {
                        Some(report) => {
                            let error = W::typed_error(&report, seen.error.as_deref());
                            RunError::Failed { report, error }
                        }
                        None => self.not_found(),
                    });
                }
                Status::Task(TaskState::Cancelled) | Status::Run(RunState::Cancelled) => {
                    return Err(RunError::Cancelled { name: W::NAME, id: self.id.into() });
                }
                _ => self.store.ended(self.id.into()).await?,
            }
        }
    }

    async fn look(&self) -> Result<Seen, RunError<W::Error>> {
        let seen = match self.id.into() {
            WorkId::Task(id) => self.store.task(id).await?.map(|task| Seen {
                status: Status::Task(task.state),
                output: task.output,
                failure: task.failure,
                error: task.error,
            }),
            WorkId::Run(id) => self.store.run(id).await?.map(|run| Seen {
                status: Status::Run(run.state),
                output: run.output,
                failure: run.failure,
                error: None,
            }),
        };
        seen.ok_or_else(|| self.not_found())
    }

    fn not_found(&self) -> RunError<W::Error> {
        RunError::NotFound { name: W::NAME, id: self.id.into() }
    }
}

impl<W: Work> Clone for Handle<W> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), id: self.id, existing: self.existing }
    }
}

impl<W: Work> fmt::Debug for Handle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle of `{}` {}", W::NAME, self.id)
    }
}

/// Why awaited work gave no output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError<E> {
    /// It failed.
    #[error("{report}")]
    Failed {
        /// What is stored of the failure.
        report: FailureReport,
        /// The task's own error, where it failed with one and its type can be stored.
        error: Option<E>,
    },
    /// It was cancelled.
    #[error("`{name}` ({id}) was cancelled")]
    Cancelled {
        /// The task or workflow.
        name: &'static str,
        /// Which.
        id: WorkId,
    },
    /// The store has no such work.
    #[error("the store has no `{name}` ({id})")]
    NotFound {
        /// The task or workflow.
        name: &'static str,
        /// Which.
        id: WorkId,
    },
    /// Its output is stored, and this program can't read it.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
