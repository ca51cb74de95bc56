//! A store by a clock that stands still, and tasks that do what the test says.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use evertask::prelude::*;
use evertask::store::{MemoryStore, SqliteStore, Store, TaskFilter, TaskRecord, TaskState};
use evertask::testing::ManualClock;
use evertask::{Clock as _, Dispatcher, Queue, TaskId, Timestamp, WorkerBuilder};
use tokio::sync::{Semaphore, watch};

/// Runs a test on each store, by a clock that stands still.
macro_rules! by_the_clock {
    ($($(#[$attribute:meta])* async fn $name:ident($bench:ident) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                $(#[$attribute])*
                async fn check($bench: crate::bench::Bench) $body

                #[tokio::test]
                async fn memory() {
                    crate::bench::on_memory(check).await;
                }

                #[tokio::test]
                async fn sqlite() {
                    crate::bench::on_sqlite(check).await;
                }

                #[cfg(all(feature = "postgres", unix))]
                #[tokio::test]
                async fn postgres() {
                    crate::bench::on_postgres(check).await;
                }
            }
        )*
    };
}
pub(crate) use by_the_clock;

/// A store, its clock, and what is seen of the tasks.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) clock: ManualClock,
    pub(crate) stage: Arc<Stage>,
}

/// What tasks say when they start, and what they wait for.
pub(crate) struct Stage {
    clock: ManualClock,
    starts: watch::Sender<Vec<Start>>,
    ends: Semaphore,
    broken: watch::Sender<bool>,
}

/// The start of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) name: String,
    pub(crate) at: Timestamp,
}

impl Stage {
    fn new(clock: ManualClock) -> Self {
        let (starts, broken) = (watch::Sender::new(Vec::new()), watch::Sender::new(false));
        Self { clock, starts, ends: Semaphore::new(0), broken }
    }

    pub(crate) fn begin(&self, name: &str) {
        let start = Start { name: name.to_owned(), at: self.clock.now() };
        self.starts.send_modify(|starts| starts.push(start));
    }

    /// So many tasks that hold may end.
    pub(crate) fn let_go(&self, tasks: usize) {
        self.ends.add_permits(tasks);
    }

    pub(crate) async fn held(&self) {
        self.ends.acquire().await.unwrap().forget();
    }

    /// Whether what can fail does.
    pub(crate) fn break_down(&self, broken: bool) {
        self.broken.send_replace(broken);
    }

    pub(crate) fn is_broken(&self) -> bool {
        *self.broken.borrow()
    }

    /// Waits until so many have started, and gives all that have.
    pub(crate) async fn starts(&self, least: usize) -> Vec<Start> {
        self.starts.subscribe().wait_for(|starts| starts.len() >= least).await.unwrap().clone()
    }

    /// The same, their names.
    pub(crate) async fn names(&self, least: usize) -> Vec<String> {
        self.starts(least).await.into_iter().map(|start| start.name).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.starts.borrow().len()
    }
}

/// What the test sees of a task.
pub(crate) fn stage(cx: &Context) -> &Stage {
    cx.data::<Stage>().unwrap()
}

/// The tasks that end when they are let go.
const HOLDING: [&str; 3] = ["hold", "post_entry", "print"];

/// Is done at once.
#[task(queue = "stage")]
pub(crate) async fn note(name: String, cx: &Context) -> Result<String, Infallible> {
    stage(cx).begin(&name);
    Ok(name)
}

/// Is done when it is let go.
#[task(queue = "stage")]
pub(crate) async fn hold(name: String, cx: &Context) -> Result<String, Infallible> {
    stage(cx).begin(&name);
    stage(cx).held().await;
    Ok(name)
}

/// Fails as long as the stage is broken.
#[task(queue = "stage")]
pub(crate) async fn fragile(name: String, cx: &Context) -> Result<String, String> {
    stage(cx).begin(&name);
    if stage(cx).is_broken() { Err(format!("{name} broke")) } else { Ok(name) }
}

/// Shows that whatever the store had to do before is done.
#[task(queue = "pulse")]
async fn pulse() -> Result<(), Infallible> {
    Ok(())
}

pub(crate) fn named(name: impl Into<String>) -> note {
    note { name: name.into() }
}

pub(crate) fn holding(name: impl Into<String>) -> hold {
    hold { name: name.into() }
}

pub(crate) fn breaking(name: impl Into<String>) -> fragile {
    fragile { name: name.into() }
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Bench {
    pub(crate) fn of(store: Arc<dyn Store>, clock: ManualClock) -> Self {
        let dispatcher = Dispatcher::with_store(store, Arc::new(clock.clone()));
        let stage = Arc::new(Stage::new(clock.clone()));
        Self { dispatcher, clock, stage }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A worker to be, with what the tasks borrow.
    pub(crate) fn settings(&self) -> WorkerBuilder {
        crate::settings(&self.dispatcher).data_dyn(self.stage.clone()).data(self.dispatcher.clone())
    }

    /// A worker of which the queue `stage` is like this.
    pub(crate) async fn worker(&self, stage: Queue) -> evertask::Worker {
        self.settings().queue("stage", stage).start().await.unwrap()
    }

    pub(crate) async fn record(&self, id: TaskId) -> TaskRecord {
        self.dispatcher.get(id).await.unwrap().unwrap()
    }

    pub(crate) async fn state(&self, id: TaskId) -> TaskState {
        self.record(id).await.state
    }

    /// Waits until the store has done what it had to do before.
    pub(crate) async fn pulse(&self) {
        self.dispatcher.dispatch(pulse {}).await.unwrap().wait().await.unwrap();
    }

    /// What has not ended and is not parked.
    pub(crate) async fn live(&self) -> Vec<TaskRecord> {
        let filter = [TaskState::Ready, TaskState::Running, TaskState::Waiting]
            .into_iter()
            .fold(TaskFilter::new().limit(100_000), TaskFilter::state);
        self.dispatcher.list(filter).await.unwrap()
    }

    /// Waits until nothing runs that is not held, and nothing is due that could run.
    pub(crate) async fn quiet(&self) {
        loop {
            self.pulse().await;
            let live = self.live().await;
            let ends = |task: &TaskRecord| task.state == TaskState::Running && !HOLDING.contains(&&*task.name);
            if !live.iter().any(ends) {
                return;
            }
        }
    }

    /// Lets time pass, from one task that becomes due to the next, until there is none left.
    pub(crate) async fn play(&self) {
        loop {
            self.pulse().await;
            let live = self.live().await;
            let now = self.clock.now();
            let runs = live.iter().any(|task| task.state == TaskState::Running || task.run_at <= now);
            match live.iter().map(|task| task.run_at).min() {
                None => return,
                Some(next) if !runs => self.clock.set(next),
                Some(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// How long after the first each started, of those of this name, in milliseconds.
    pub(crate) async fn times(&self, name: &str) -> Vec<i64> {
        let starts = self.stage.starts(1).await;
        let mut times: Vec<_> =
            starts.iter().filter(|start| start.name == name).map(|start| start.at.as_millis()).collect();
        times.sort_unstable();
        let first = times[0];
        times.iter().map(|at| at - first).collect()
    }
}

pub(crate) async fn on_memory<F: Future<Output = ()>>(check: impl FnOnce(Bench) -> F) {
    let clock = ManualClock::new();
    let bench = Bench::of(Arc::new(MemoryStore::new(Arc::new(clock.clone()))), clock);
    check(bench.clone()).await;
    assert_eq!(bench.dispatcher.verify().await.unwrap(), []);
}

pub(crate) async fn on_sqlite<F: Future<Output = ()>>(check: impl FnOnce(Bench) -> F) {
    let (clock, folder) = (ManualClock::new(), tempfile::tempdir().unwrap());
    let store = SqliteStore::open(&folder.path().join("work.db"), Arc::new(clock.clone())).unwrap();
    let bench = Bench::of(Arc::new(store), clock);
    check(bench.clone()).await;
    assert_eq!(bench.dispatcher.verify().await.unwrap(), []);
    bench.dispatcher.close().await.unwrap();
}

#[cfg(all(feature = "postgres", unix))]
pub(crate) async fn on_postgres<F: Future<Output = ()>>(check: impl FnOnce(Bench) -> F) {
    let (clock, schema) = (ManualClock::new(), evertask::testing::postgres::Schema::new().unwrap());
    let store = evertask::store::PostgresStore::open_with_clock(schema.url(), Arc::new(clock.clone())).await.unwrap();
    let bench = Bench::of(Arc::new(store), clock);
    check(bench.clone()).await;
    assert_eq!(bench.dispatcher.verify().await.unwrap(), []);
    bench.dispatcher.close().await.unwrap();
}
