//! What a worker is given before it starts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Worker;
use super::heart::Heart;
use super::queue::Queue;
use super::run::{Loop, Settings};
use crate::context::Data;
use crate::duration::{DurationError, IntoDuration};
use crate::id::WorkerId;
use crate::maintenance::{Maintenance, Retention, declared};
use crate::registry::{Problem, Registry};
use crate::schedule::Clock;
use crate::store::{Store, StoreError, WorkerInfo};
use crate::task::Work;

/// A worker to be. [`Dispatcher::worker`](crate::Dispatcher::worker) makes one.
#[must_use = "a worker runs when it is started"]
pub struct WorkerBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    registry: Registry,
    data: Data,
    queues: BTreeMap<String, Queue>,
    only_queues: bool,
    settings: Settings,
    deadline: Duration,
    lease: Duration,
    retention: Retention,
    mistakes: Vec<DurationError>,
}

impl WorkerBuilder {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, max_payload: usize) -> Self {
        Self {
            store,
            clock,
            registry: Registry::collect(),
            data: Data::default(),
            queues: BTreeMap::new(),
            only_queues: false,
            settings: Settings { max_payload, ..Settings::default() },
            deadline: Duration::from_secs(30),
            lease: Duration::from_secs(30),
            retention: Retention::new(),
            mistakes: Vec::new(),
        }
    }

    /// A value for the tasks that borrow a `&T`.
    pub fn data<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.data_dyn(Arc::new(value))
    }

    /// A value for the tasks that borrow a `&dyn Trait`, or one that is shared: `.data_dyn::<dyn Mailer>(arc)`.
    pub fn data_dyn<T: ?Sized + Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        self.data.insert(value);
        self
    }

    /// How to run a queue. Queues of registered tasks that are not named here run with the default settings.
    pub fn queue(mut self, name: impl Into<String>, queue: Queue) -> Self {
        self.queues.insert(name.into(), queue);
        self
    }

    /// Runs the queues that were named with `.queue(..)`, and no others.
    pub fn only_named_queues(mut self) -> Self {
        self.only_queues = true;
        self
    }

    /// Registers a task or a workflow by hand, with all that it names.
    pub fn task<W: Work>(mut self) -> Self {
        self.registry.insert(W::registered());
        self
    }

    /// Runs what this registry holds, instead of everything that the macros registered.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// How long a task has between the word that it was cancelled, or has timed out, and the drop of its future.
    /// 5 s if not said.
    pub fn grace(mut self, grace: impl IntoDuration) -> Self {
        match grace.into_duration() {
            Ok(grace) => self.settings.grace = grace,
            Err(mistake) => self.mistakes.push(mistake),
        }
        self
    }

    /// How long a shutdown waits for what runs. 30 s if not said.
    pub fn shutdown_deadline(mut self, deadline: impl IntoDuration) -> Self {
        match deadline.into_duration() {
            Ok(deadline) => self.deadline = deadline,
            Err(mistake) => self.mistakes.push(mistake),
        }
        self
    }

    /// How long this worker's claims outlive its last sign of life, of which it gives six in that time.
    /// 30 s if not said; a short one finds a dead worker soon, and takes a paused one for dead. A worker whose sign of
    /// life is not taken stops what it runs a sixth of this before the end.
    pub fn lease(mut self, lease: impl IntoDuration) -> Self {
        match lease.into_duration() {
            Ok(lease) => self.lease = lease.max(Duration::from_millis(10)),
            Err(mistake) => self.mistakes.push(mistake),
        }
        self
    }

    /// After so many workers that died with it, a task is set aside as failed. 5 if not said.
    pub fn max_crashes(mut self, crashes: u32) -> Self {
        self.settings.max_crashes = crashes.max(1);
        self
    }

    /// How many blocking handlers may go on after the end of their attempts before the worker says that it is
    /// not [healthy](crate::Health). 8 if not said.
    pub fn max_leaked(mut self, threads: usize) -> Self {
        self.settings.max_leaked = threads.max(1);
        self
    }

    /// How long work is kept after its end: for ever, if not said. One worker of a store that says it is enough; where
    /// several do, the shortest time counts.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.mistakes.extend(retention.mistakes());
        self.retention = retention;
        self
    }

    /// Checks everything at once, and starts. It must be called within a Tokio runtime, on which the tasks run.
    pub async fn start(self) -> Result<Worker, StartError> {
        let named: Vec<_> =
            self.queues.iter().filter(|(_, queue)| !queue.is_undeclared()).map(|(name, _)| name.as_str()).collect();
        let mut problems = self.registry.problems(&self.data, &named);
        problems.extend(self.mistakes.into_iter().map(Problem::Setting));
        problems.extend(self.queues.iter().flat_map(|(name, queue)| queue.problems(name)));
        let (declared, mistaken) = declared::declared(&self.registry);
        problems.extend(mistaken);
        if !problems.is_empty() {
            return Err(StartError::Refused(problems));
        }
        let mut queues = self.queues;
        if !self.only_queues {
            for name in self.registry.queues() {
                queues.entry(name.to_owned()).or_default();
            }
        }
        let info = WorkerInfo {
            queues: queues.iter().filter_map(|(name, queue)| Some((name.clone(), queue.rules()?))).collect(),
            id: WorkerId::new(),
            place: format!("process {}", std::process::id()),
            lease: self.lease,
            knows: self.registry.known(),
        };
        tracing::info!(
            worker = %info.id,
            tasks = self.registry.tasks().count(),
            workflows = self.registry.workflows().count(),
            queues = queues.len(),
            "the worker starts"
        );
        declared::keep(&*self.store, &*self.clock, &self.registry, declared).await?;
        let (inbox, deliveries) = mpsc::unbounded_channel();
        self.store.attach(info.clone(), inbox.clone()).await?;
        let (commands, orders) = mpsc::unbounded_channel();
        let heart = Heart::start(self.store.clone(), &info, commands.clone()).map_err(StartError::Thread)?;
        let retries = queues.iter().filter_map(|(name, queue)| Some((name.clone(), queue.retries()?))).collect();
        let slots = queues.into_iter().map(|(name, queue)| (name, queue.slots())).collect();
        let (store, clock, registry) = (self.store, self.clock, Arc::new(self.registry));
        let max_payload = self.settings.max_payload;
        let maintenance =
            Maintenance::start(store.clone(), clock.clone(), registry.clone(), self.retention, max_payload);
        let work = Loop::new(
            store,
            clock,
            registry,
            self.data,
            self.settings,
            info,
            slots,
            retries,
            heart,
            maintenance,
            inbox,
        );
        let health = work.health();
        let running = tokio::spawn(work.run(deliveries, orders));
        Ok(Worker { commands, running: Some(running), deadline: self.deadline, health })
    }
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("registry", &self.registry)
            .field("queues", &self.queues)
            .finish_non_exhaustive()
    }
}

/// A worker did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// What is registered, and what was given, do not fit: every reason at once.
    #[error("the worker did not start:{}", report(.0))]
    Refused(Vec<Problem>),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread of its sign of life can't be started.
    #[error("the worker did not start: no thread for its sign of life: {0}")]
    Thread(std::io::Error),
}

fn report(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    format!("\n  - {}", lines.join("\n  - "))
}
