//! Schedules at work: what a worker starts by them, on each store, by a clock that is moved by hand.
//!
//! Which slots there are is tested without a store, in `tests/schedules`.

#![allow(clippy::unwrap_used)]

mod control;
mod declared;
mod deploys;
mod several;
mod slots;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evertask::prelude::*;
use evertask::registry::Registry;
#[cfg(all(feature = "postgres", unix))]
use evertask::store::PostgresStore;
use evertask::store::{MemoryStore, ScheduleRecord, SqliteStore, Store, TaskFilter, TaskRecord};
use evertask::testing::ManualClock;
use evertask::{Clock as _, Dispatcher, Timestamp, Worker, WorkerBuilder, workflow};

/// Whoever waits longer waits in vain.
const PATIENCE: Duration = Duration::from_secs(30);

/// What ran, and for which slot.
#[derive(Default)]
pub(crate) struct Seen(Mutex<Vec<(String, Option<Timestamp>)>>);

#[task]
async fn note(what: String, seen: &Seen, cx: &Context) -> Result<(), Infallible> {
    seen.0.lock().unwrap().push((what, cx.occurrence()));
    Ok(())
}

workflow! {
    /// A run of two notes.
    pub(crate) Notes<String> {
        note { on_ok with input(what) => again { what: format!("{what} again") } }
        again = note { on_ok => end }
    }
}

/// A store, and programs on it.
pub(crate) struct Bench {
    pub(crate) clock: ManualClock,
    pub(crate) dispatcher: Dispatcher,
    seen: Arc<Seen>,
    place: Place,
}

/// Where the store is, for another program.
enum Place {
    Memory,
    File(PathBuf),
    #[cfg(all(feature = "postgres", unix))]
    Server(String),
}

impl Bench {
    fn new(clock: ManualClock, store: Arc<dyn Store>, place: Place) -> Self {
        let dispatcher = Dispatcher::with_store(store, Arc::new(clock.clone()));
        Self { clock, dispatcher, seen: Arc::default(), place }
    }

    /// A dispatcher of another program on the same store.
    async fn another(&self) -> Dispatcher {
        let clock = Arc::new(self.clock.clone());
        let store: Arc<dyn Store> = match &self.place {
            Place::Memory => return self.dispatcher.clone(),
            Place::File(file) => Arc::new(SqliteStore::open(file, clock.clone()).unwrap()),
            #[cfg(all(feature = "postgres", unix))]
            Place::Server(url) => Arc::new(PostgresStore::open_with_clock(url, clock.clone()).await.unwrap()),
        };
        Dispatcher::with_store(store, clock)
    }

    /// A worker that knows `note` and `Notes`.
    async fn worker(&self) -> Worker {
        self.worker_of(Registry::default().add::<note>().add::<Notes>()).await
    }

    async fn worker_of(&self, registry: Registry) -> Worker {
        self.settings(&self.dispatcher, registry).start().await.unwrap()
    }

    fn settings(&self, dispatcher: &Dispatcher, registry: Registry) -> WorkerBuilder {
        dispatcher.worker().registry(registry).data_dyn(self.seen.clone())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn record(&self, id: &str) -> ScheduleRecord {
        let all = self.dispatcher.schedules().await.unwrap();
        all.into_iter().find(|schedule| schedule.id == id).unwrap_or_else(|| panic!("no schedule `{id}`"))
    }

    async fn ids(&self) -> Vec<String> {
        self.dispatcher.schedules().await.unwrap().into_iter().map(|schedule| schedule.id).collect()
    }

    async fn tasks(&self) -> Vec<TaskRecord> {
        let mut filter = TaskFilter::new();
        filter.limit = Some(100_000);
        self.dispatcher.list(filter).await.unwrap()
    }

    /// Waits until these schedules have started what is due by now, and all that is due has ended.
    async fn done(&self, ids: &[&str]) {
        let done = async {
            for id in ids {
                while self.record(id).await.next.is_some_and(|next| next <= self.now()) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            while self.tasks().await.iter().any(|task| !task.state.is_terminal() && task.run_at <= self.now()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, done).await.unwrap_or_else(|_| panic!("{ids:?} are not done"));
    }

    /// Moves the clock to this time, and waits until these schedules are done.
    async fn to(&self, time: &str, ids: &[&str]) {
        self.clock.set(at(time));
        self.done(ids).await;
    }

    /// The slots for which this ran, in order.
    fn slots(&self, what: &str) -> Vec<Timestamp> {
        let seen = self.seen.0.lock().unwrap();
        let mut slots: Vec<_> = seen.iter().filter(|(said, _)| said == what).filter_map(|(_, slot)| *slot).collect();
        slots.sort_unstable();
        slots
    }

    /// How often this ran.
    fn times(&self, what: &str) -> usize {
        self.seen.0.lock().unwrap().iter().filter(|(said, _)| said == what).count()
    }
}

fn at(text: &str) -> Timestamp {
    let time: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_millis(time.as_millisecond())
}

fn all_at<const N: usize>(times: [&str; N]) -> Vec<Timestamp> {
    times.map(at).to_vec()
}

fn say(what: &str) -> note {
    note { what: what.to_owned() }
}

/// Runs a test on each store, from the first second of 2026 on.
macro_rules! on_each_store {
    ($(async fn $name:ident($bench:ident) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                async fn check($bench: &crate::Bench) $body

                #[tokio::test]
                async fn memory() {
                    crate::on_memory(async |bench| check(bench).await).await;
                }

                #[tokio::test]
                async fn sqlite() {
                    crate::on_sqlite(async |bench| check(bench).await).await;
                }

                #[cfg(all(feature = "postgres", unix))]
                #[tokio::test]
                async fn postgres() {
                    crate::on_postgres(async |bench| check(bench).await).await;
                }
            }
        )*
    };
}
pub(crate) use on_each_store;

async fn on_memory(check: impl AsyncFnOnce(&Bench)) {
    let clock = ManualClock::new();
    let bench = Bench::new(clock.clone(), Arc::new(MemoryStore::new(Arc::new(clock))), Place::Memory);
    check(&bench).await;
    assert_eq!(bench.dispatcher.verify().await.unwrap(), []);
}

async fn on_sqlite(check: impl AsyncFnOnce(&Bench)) {
    let folder = tempfile::tempdir().unwrap();
    let (clock, file) = (ManualClock::new(), folder.path().join("work.db"));
    let store = SqliteStore::open(&file, Arc::new(clock.clone())).unwrap();
    let bench = Bench::new(clock, Arc::new(store), Place::File(file));
    check(&bench).await;
    assert_eq!(bench.dispatcher.verify().await.unwrap(), []);
    bench.dispatcher.close().await.unwrap();
}

#[cfg(all(feature = "postgres", unix))]
async fn on_postgres(check: impl AsyncFnOnce(&Bench)) {
    let (clock, schema) = (ManualClock::new(), evertask::testing::postgres::Schema::new().unwrap());
    let store = PostgresStore::open_with_clock(schema.url(), Arc::new(clock.clone())).await.unwrap();
    let bench = Bench::new(clock, Arc::new(store), Place::Server(schema.url().to_owned()));
    check(&bench).await;
    assert_eq!(bench.dispatcher.verify().await.unwrap(), []);
    bench.dispatcher.close().await.unwrap();
}
