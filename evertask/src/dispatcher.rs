//! The client: dispatches, cancels, reads.

use std::fmt;
use std::sync::Arc;

use crate::dead_letters::DeadLetters;
use crate::dispatch::{DispatchError, IntoDispatch, MAX_PAYLOAD};
use crate::handle::Handle;
use crate::id::{RunId, TaskId, WorkId};
use crate::maintenance::Retention;
use crate::payload::Payload;
use crate::room;
use crate::schedule::{Clock, SystemClock};
use crate::store::{
    AttemptRecord, CancelOutcome, Dispatched, LogLine, MemoryStore, NewWork, QueueChange, QueueRecord, QueueRules,
    QueueState, RunFilter, RunRecord, Selection, SignalOutcome, Store, StoreError, TaskFilter, TaskRecord, Violation,
};
use crate::task::{Work, Workflow};
use crate::transaction::InTransaction;
use crate::worker::WorkerBuilder;
use crate::workflow::{RunProgress, SignalKey};

/// Dispatches work to a store, cancels it, and reads what became of it. It is cheap to clone.
///
/// ```standalone_crate
/// use evertask::{Dispatcher, prelude::*};
///
/// #[task]
/// async fn double(number: u64) -> Result<u64, std::convert::Infallible> {
///     Ok(number * 2)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let dispatcher = Dispatcher::open("memory:").await?;
/// let worker = dispatcher.worker().start().await?;
/// assert_eq!(dispatcher.dispatch(double { number: 21 }).await?.wait().await?, 42);
/// worker.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Dispatcher {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    max_payload: usize,
}

impl Dispatcher {
    /// Opens a store: `"sqlite:orders.db"` for one file, which is made if it is not there, or `"memory:"` for
    /// work that is gone when the process ends, or `"postgres://user:password@host/database"` for a schema of a
    /// database that many nodes share; what else the URL may say is with `PostgresStore::open`.
    #[cfg_attr(not(any(feature = "sqlite", feature = "postgres")), allow(clippy::unused_async))]
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        match url.split_once(':') {
            Some(("memory", _)) => Ok(Self::with_store(Arc::new(MemoryStore::new(clock.clone())), clock)),
            #[cfg(feature = "sqlite")]
            Some(("sqlite", path)) => {
                let path = std::path::PathBuf::from(path.strip_prefix("//").unwrap_or(path));
                let opened = {
                    let clock = clock.clone();
                    tokio::task::spawn_blocking(move || crate::store::SqliteStore::open(&path, clock)).await
                };
                let store = opened.map_err(|_| StoreError::Closed)??;
                Ok(Self::with_store(Arc::new(store), clock))
            }
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => {
                let store = crate::store::PostgresStore::open(url).await?;
                let clock = store.clock();
                Ok(Self::with_store(Arc::new(store), clock))
            }
            _ => Err(OpenError::Url { url: url.to_owned() }),
        }
    }

    /// Works on this store, by this clock.
    pub fn with_store(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, max_payload: MAX_PAYLOAD }
    }

    /// Takes payloads and values of signals up to this many bytes of JSON, here and in what this one's workers
    /// dispatch, and outputs of the tasks that they run: a larger one fails the attempt with
    /// [`Cause::OutputTooLarge`](crate::Cause::OutputTooLarge). [`MAX_PAYLOAD`] if not said. What an edge makes of outputs
    /// has no limit but the store's own.
    #[must_use]
    pub fn max_payload(self, bytes: usize) -> Self {
        Self { max_payload: bytes, ..self }
    }

    /// The store itself.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn payload_limit(&self) -> usize {
        self.max_payload
    }

    /// A worker that runs tasks of this store in this process.
    pub fn worker(&self) -> WorkerBuilder {
        WorkerBuilder::new(self.store.clone(), self.clock.clone(), self.max_payload)
    }

    /// Adds work. When this returns, it is on disk.
    ///
    /// Dropping the future does not take the work back. An error says that nothing was added, and why: its queue is full
    /// or drained, its key is taken and was to be refused, an option can't be read, its payload is too large, or the store
    /// did not take it.
    pub async fn dispatch<D: IntoDispatch>(&self, work: D) -> Result<Handle<D::Work>, DispatchError> {
        let mut handles = self.dispatch_all([work]).await?;
        handles.pop().ok_or(DispatchError::Store(StoreError::Closed))
    }

    /// Adds many in one transaction: all of them or none, with the errors of [`dispatch`](Self::dispatch). They wait for
    /// room as long as the most patient of them.
    pub async fn dispatch_all<D: IntoDispatch>(
        &self,
        work: impl IntoIterator<Item = D>,
    ) -> Result<Vec<Handle<D::Work>>, DispatchError> {
        let (mut new, mut patience) = (Vec::new(), None);
        for work in work {
            let work = work.into_dispatch();
            patience = patience.max(work.room());
            new.push(self.prepare(work)?);
        }
        let dispatched = room::dispatch(&*self.store, new, patience).await?;
        self.handles(dispatched)
    }

    /// Adds work in a transaction of the caller's own on the database of this store: it is there when the caller has
    /// committed, and never was if the caller has not.
    ///
    /// With sqlx it is a future: `dispatcher.dispatch_in(&mut tx, work).await?`. With rusqlite, whose calls block, it is
    /// the result: `dispatcher.dispatch_in(&mut tx, work)?`. Of another database's transaction nothing is used, and that
    /// is an error. A failed dispatch leaves the transaction as it was.
    ///
    /// A key that another open transaction is about to use is waited for, as the database waits for a unique index. A
    /// full queue is an error at once. The handle is of use once the transaction is committed.
    #[cfg_attr(
        feature = "sqlite",
        doc = r#"
```standalone_crate
use evertask::rusqlite::{Connection, TransactionBehavior::Immediate};
use evertask::{Dispatcher, prelude::*};

#[task]
async fn send_receipt(order: i64) -> Result<(), String> {
    Ok(drop(order))
}

# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# let folder = tempfile::tempdir()?;
# let file = folder.path().join("shop.db");
let dispatcher = Dispatcher::open(&format!("sqlite:{}", file.display())).await?;
let mut shop = Connection::open(&file)?;
shop.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)")?;

let mut tx = shop.transaction_with_behavior(Immediate)?;
tx.execute("INSERT INTO orders (id, total) VALUES (7, 250)", [])?;
let receipt = dispatcher.dispatch_in(&mut tx, send_receipt { order: 7 })?;
tx.commit()?;
assert!(!receipt.status().await?.is_terminal());
# Ok(())
# }
```"#
    )]
    pub fn dispatch_in<'t, X: InTransaction, D: IntoDispatch>(
        &'t self,
        tx: &'t mut X,
        work: D,
    ) -> X::Answer<'t, Handle<D::Work>> {
        let new = self.prepare(work).map(|new| vec![new]);
        tx.add(
            &*self.store,
            new,
            Box::new(|added| {
                let mut handles = self.handles(added)?;
                handles.pop().ok_or(DispatchError::Store(StoreError::Closed))
            }),
        )
    }

    /// Adds many in a transaction of the caller's own, as [`dispatch_in`](Self::dispatch_in) does: all of them or none.
    pub fn dispatch_all_in<'t, X: InTransaction, D: IntoDispatch>(
        &'t self,
        tx: &'t mut X,
        work: impl IntoIterator<Item = D>,
    ) -> X::Answer<'t, Vec<Handle<D::Work>>> {
        let new = work.into_iter().map(|work| self.prepare(work)).collect();
        tx.add(&*self.store, new, Box::new(|added| self.handles(added)))
    }

    fn prepare(&self, work: impl IntoDispatch) -> Result<NewWork, DispatchError> {
        let dispatch = work.into_dispatch();
        Ok(dispatch.prepare(uuid::Uuid::now_v7(), None, None, self.max_payload)?.0)
    }

    fn handles<W: Work>(&self, dispatched: Vec<Dispatched>) -> Result<Vec<Handle<W>>, DispatchError> {
        let handle = |dispatched: Dispatched| {
            let id = crate::context::typed_id::<W>(dispatched.id)?;
            Ok(Handle::new(self.store.clone(), id, dispatched.existing))
        };
        dispatched.into_iter().map(handle).collect()
    }

    /// A handle of work that was dispatched before, perhaps by another process.
    pub fn handle<W: Work>(&self, id: W::Id) -> Handle<W> {
        Handle::new(self.store.clone(), id, true)
    }

    /// Cancels a task or a run. What waits ends now; what runs is told, and has its worker's grace period.
    pub async fn cancel(&self, id: impl Into<WorkId>) -> Result<CancelOutcome, StoreError> {
        let outcomes = self.store.cancel(Selection::Ids(vec![id.into()])).await?;
        Ok(outcomes.first().map_or(CancelOutcome::NotFound, |(_, outcome)| *outcome))
    }

    /// Cancels many in one transaction: by ids, by correlation id, or by name.
    pub async fn cancel_all(&self, selection: Selection) -> Result<Vec<(WorkId, CancelOutcome)>, StoreError> {
        self.store.cancel(selection).await
    }

    /// Gives a run the value that its step waits for: `dispatcher.signal(run.id(), Review::approval, &value)`.
    ///
    /// One that comes before the step waits is kept. A second one is refused, unless the step waits again when it comes,
    /// as it may in a loop: then it is delivered. A run that waits under a name that the step had is found too. When
    /// this returns, it is on disk.
    pub async fn signal<W: Workflow, V: Payload>(
        &self,
        run: RunId,
        signal: SignalKey<W, V>,
        value: &V,
    ) -> Result<SignalOutcome, DispatchError> {
        let mut stored = Vec::new();
        value.encode(&mut stored)?;
        if stored.len() > self.max_payload {
            let (name, length) = (signal.step(), stored.len());
            return Err(DispatchError::TooLarge { name, length, limit: self.max_payload });
        }
        Ok(self.store.signal(run, signal.step().to_owned(), signal.was(), stored).await?)
    }

    /// Holds a run: what runs ends and is kept, and nothing new of it starts. Says whether it was running.
    pub async fn pause(&self, run: RunId) -> Result<bool, StoreError> {
        self.store.pause(run).await
    }

    /// Lets a held run go on. Says whether it was held.
    pub async fn resume(&self, run: RunId) -> Result<bool, StoreError> {
        self.store.resume(run).await
    }

    /// Goes on with the compensation of a failed run, from the undo that failed for good. Says whether there is one.
    pub async fn resume_undo(&self, run: RunId) -> Result<bool, StoreError> {
        self.store.resume_undo(run).await
    }

    /// Holds a queue: nothing of it starts on any worker, and what runs goes on. It still takes work. This is stored, and
    /// holds until [`resume_queue`](Self::resume_queue), also after a restart. The answer is the queue as it stands then.
    pub async fn pause_queue(&self, name: impl Into<String>) -> Result<QueueRecord, StoreError> {
        self.turn_queue(name, QueueState::Paused).await
    }

    /// Lets a queue that was held, or drained, go on.
    pub async fn resume_queue(&self, name: impl Into<String>) -> Result<QueueRecord, StoreError> {
        self.turn_queue(name, QueueState::Open).await
    }

    /// Has a queue emptied: it takes no work but what follows its tasks, and workers go on until nothing is left.
    pub async fn drain_queue(&self, name: impl Into<String>) -> Result<QueueRecord, StoreError> {
        self.turn_queue(name, QueueState::Draining).await
    }

    /// What limits a queue on all workers together, instead of what workers said before: all rules at once, so that what
    /// is `None` is not limited any more. It holds at once, until a worker starts whose [`Queue`](crate::Queue) says any of
    /// them.
    pub async fn limit_queue(&self, name: impl Into<String>, rules: QueueRules) -> Result<QueueRecord, StoreError> {
        self.store.change_queue(name.into(), QueueChange { rules: Some(rules), state: None }).await
    }

    async fn turn_queue(&self, name: impl Into<String>, state: QueueState) -> Result<QueueRecord, StoreError> {
        self.store.change_queue(name.into(), QueueChange { state: Some(state), rules: None }).await
    }

    /// The queues, by name: those with live tasks, and those with a state or rules of their own. The numbers of tasks are
    /// those of the moment.
    pub async fn queues(&self) -> Result<Vec<QueueRecord>, StoreError> {
        self.store.queues().await
    }

    /// One queue, if it is one of [`queues`](Self::queues).
    pub async fn queue(&self, name: &str) -> Result<Option<QueueRecord>, StoreError> {
        Ok(self.store.queues().await?.into_iter().find(|queue| queue.name == name))
    }

    /// What has failed for good, or is parked: to look at, to try again, to throw away.
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.store.clone())
    }

    /// Removes now what this retention does not keep, in small batches: how many rows went. A worker with a
    /// [`retention`](crate::WorkerBuilder::retention) does so by itself. A length of time that can't be read keeps all.
    pub async fn prune(&self, retention: &Retention) -> Result<u64, StoreError> {
        crate::maintenance::prune(&*self.store, &*self.clock, retention).await
    }

    /// One task.
    pub async fn get(&self, id: TaskId) -> Result<Option<TaskRecord>, StoreError> {
        self.store.task(id).await
    }

    /// One run.
    pub async fn get_run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        self.store.run(id).await
    }

    /// How far a run is, step by step, for [`Graph::svg_of`](crate::workflow::Graph::svg_of) and its like.
    ///
    /// Its tasks are read in pages: of a run that moves meanwhile, the later ones are newer.
    pub async fn progress(&self, run: RunId) -> Result<Option<RunProgress>, StoreError> {
        const PAGE: u32 = 500;
        let Some(record) = self.store.run(run).await? else { return Ok(None) };
        let mut progress = RunProgress::new(&record);
        let mut filter = TaskFilter::new().run(run).limit(PAGE);
        loop {
            let page = self.store.tasks(filter.clone()).await?;
            for task in &page {
                progress.add(task);
            }
            match page.last() {
                Some(last) if page.len() >= PAGE as usize => filter.after = Some(last.id),
                _ => return Ok(Some(progress)),
            }
        }
    }

    /// Tasks that match, oldest first.
    pub async fn list(&self, filter: TaskFilter) -> Result<Vec<TaskRecord>, StoreError> {
        self.store.tasks(filter).await
    }

    /// Runs that match, oldest first.
    pub async fn list_runs(&self, filter: RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        self.store.runs(filter).await
    }

    /// The lines that a task logged, oldest first.
    pub async fn log(&self, id: TaskId) -> Result<Vec<LogLine>, StoreError> {
        self.store.log(id).await
    }

    /// The attempts of a task that did not succeed, oldest first.
    pub async fn attempts(&self, id: TaskId) -> Result<Vec<AttemptRecord>, StoreError> {
        self.store.attempts(id).await
    }

    /// Checks the invariants of the store. An empty answer is a sound store.
    pub async fn verify(&self) -> Result<Vec<Violation>, StoreError> {
        self.store.verify().await
    }

    /// Closes the store when what was given to it is on disk. Every clone of this dispatcher is closed with it.
    pub async fn close(self) -> Result<(), StoreError> {
        self.store.close().await
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}

/// A store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL names no store of this build.
    #[error(
        "`{url}` names no store: write `sqlite:orders.db` (feature `sqlite`), `postgres://…` (feature \
             `postgres`) or `memory:`"
    )]
    Url {
        /// The URL.
        url: String,
    },
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}
