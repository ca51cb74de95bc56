//! Dead letters: what has failed for good, or is parked, and waits for somebody.

use std::fmt;
use std::sync::Arc;

use crate::id::{TaskId, WorkId};
use crate::payload::CodecError;
use crate::store::{AttemptRecord, Edited, Revived, Store, StoreError, TaskFilter, TaskRecord, TaskState};
use crate::task::Task;

/// How many tasks are tried again in one transaction.
const BATCH: u32 = 100;

/// What has failed for good, or is parked: [`Dispatcher::dead_letters`](crate::Dispatcher::dead_letters).
///
/// ```
/// use evertask::{Dispatcher, store::{StoreError, TaskFilter}};
///
/// /// After an outage of the mail server.
/// async fn send_again(dispatcher: &Dispatcher) -> Result<(), StoreError> {
///     let dead = dispatcher.dead_letters();
///     for letter in dead.list(TaskFilter::new().name("send_email")).await? {
///         println!("{}: {:?}", letter.id, letter.failure);
///     }
///     let revived = dead.retry_all(TaskFilter::new().name("send_email")).await?;
///     println!("{} tasks", revived.len());
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct DeadLetters {
    store: Arc<dyn Store>,
}

/// A dead letter with its history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The task, with its payload, its last failure, or why it is parked.
    pub task: TaskRecord,
    /// Its attempts that did not succeed, oldest first.
    pub attempts: Vec<AttemptRecord>,
}

impl DeadLetters {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Those that match, oldest first; 100, if the filter has no limit. The states of the filter are not looked at.
    pub async fn list(&self, mut filter: TaskFilter) -> Result<Vec<TaskRecord>, StoreError> {
        filter.states = vec![TaskState::Failed, TaskState::Parked];
        self.store.tasks(filter).await
    }

    /// One, with its history; nothing, if it is no dead letter (any more).
    pub async fn inspect(&self, id: TaskId) -> Result<Option<DeadLetter>, StoreError> {
        let is_dead = |task: &TaskRecord| matches!(task.state, TaskState::Failed | TaskState::Parked);
        let Some(task) = self.store.task(id).await?.filter(is_dead) else { return Ok(None) };
        Ok(Some(DeadLetter { attempts: self.store.attempts(id).await?, task }))
    }

    /// Tries a failed task again, with the same id and all its attempts anew. Its run, if it failed with it, goes on.
    ///
    /// It is due at once, has no deadline any more, and keeps its id, its history and its limits. The answer says whether
    /// it could be: see [`Revived`]. A parked task can't: it goes on by itself when a worker starts that can read it.
    pub async fn retry(&self, id: TaskId) -> Result<Revived, StoreError> {
        Ok(answer(&self.store.revive(vec![id], None).await?))
    }

    /// Tries a failed task again, with another payload of the same task; that of another task is an error, and nothing has
    /// changed then. Its limits are those of that payload, with the keys that are in it.
    pub async fn retry_with<T: Task>(&self, id: TaskId, payload: &T) -> Result<Revived, DeadLetterError> {
        let Some(task) = self.store.task(id).await? else { return Ok(Revived::NotFound) };
        let entry = T::entry();
        let names = [<T as Task>::NAME].into_iter().chain(entry.was.iter().copied());
        if !names.into_iter().any(|name| name == task.name) {
            return Err(DeadLetterError::OtherTask { id, name: task.name, given: <T as Task>::NAME });
        }
        let (rate, slots) = entry.options.limits(<T as Task>::NAME, &payload.limit_keys());
        let mut edited = Edited { payload: Vec::new(), rate, slots };
        payload.encode(&mut edited.payload)?;
        Ok(answer(&self.store.revive(vec![id], Some(edited)).await?))
    }

    /// Tries all failed tasks again that match, however many: what became of each. Parked ones are left alone.
    ///
    /// It goes from the oldest to the newest in batches of one transaction each, and ends with what had failed when it
    /// got there. A limit of the filter is the most that are tried.
    pub async fn retry_all(&self, mut filter: TaskFilter) -> Result<Vec<(TaskId, Revived)>, StoreError> {
        filter.states = vec![TaskState::Failed];
        let mut left = filter.limit.unwrap_or(u32::MAX);
        let mut all = Vec::new();
        while left > 0 {
            filter.limit = Some(left.min(BATCH));
            let tasks: Vec<_> = self.store.tasks(filter.clone()).await?.iter().map(|task| task.id).collect();
            let Some(last) = tasks.last().copied() else { break };
            left -= u32::try_from(tasks.len()).unwrap_or(left).min(left);
            filter.after = Some(last);
            all.extend(self.store.revive(tasks, None).await?);
        }
        Ok(all)
    }

    /// Removes failed and parked tasks for good, with their attempts and lines: how many went. A task of a run is left:
    /// it goes with its run, whose id can be given here too once it has ended.
    pub async fn discard<I: Into<WorkId>>(&self, work: impl IntoIterator<Item = I>) -> Result<u64, StoreError> {
        self.store.discard(work.into_iter().map(Into::into).collect()).await
    }
}

/// What became of the one task that was asked for.
fn answer(revived: &[(TaskId, Revived)]) -> Revived {
    revived.first().map_or(Revived::NotFound, |(_, revived)| *revived)
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters").finish_non_exhaustive()
    }
}

/// A task could not be tried again with another payload. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeadLetterError {
    /// The payload is another task's.
    #[error("task {id} is a `{name}`, and can't be tried again with the payload of `{given}`")]
    OtherTask {
        /// The task.
        id: TaskId,
        /// Its name.
        name: String,
        /// Whose payload was given.
        given: &'static str,
    },
    /// The payload has no JSON form.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
