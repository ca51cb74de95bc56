//! What the shared suite can't see: the file, its plans, the batches, and what other processes do to it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::SqliteStore;
use crate::id::{RunId, TaskId, WorkerId};
use crate::schedule::{Clock, Timestamp};
use crate::store::{
    Claim, Claimed, Delivery, Dispatched, Finished, Follow, Known, NewRun, NewTask, NewWork, Notes, Settled, StepOf,
    Store, TaskState, Verdict, WorkerInfo,
};

mod batches;
mod claims;
mod effects;
mod ended;
mod file;
mod limits;
mod lives;
mod runs;
mod schedules;
mod waits;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("evertask-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("work.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A clock that stands until it is moved.
struct Hand {
    now: Mutex<Timestamp>,
    wakes: Mutex<Vec<Arc<dyn Fn() + Send + Sync>>>,
}

impl Hand {
    fn new() -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(Timestamp::from_millis(1_000_000)), wakes: Mutex::default() })
    }

    fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = now.plus(by);
        drop(now);
        for wake in self.wakes.lock().unwrap().iter() {
            wake();
        }
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn sleep_until(&self, _time: Timestamp) -> Option<Duration> {
        None
    }

    fn on_move(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        self.wakes.lock().unwrap().push(wake);
    }
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Hand::new()).unwrap()
}

/// A connection past the store, as another program would have it.
fn raw(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

fn task(name: &'static str) -> NewTask {
    NewTask {
        terms: None,
        id: TaskId::new(),
        name: name.into(),
        queue: "default".into(),
        priority: 0,
        delay: Duration::ZERO,
        at: None,
        payload: b"{}".to_vec(),
        key: None,
        correlation: None,
        parent: None,
        of: None,
        cancel_routed: false,
        wait: None,
        visits: None,
        was: &[],
    }
}

fn step(run: RunId, name: &'static str) -> NewTask {
    NewTask { of: Some(StepOf { run, workflow: "Ship".into(), step: Some(name.into()) }), ..task(name) }
}

fn new_run(id: RunId) -> NewRun {
    NewRun {
        on_key: crate::store::OnKey::Return,
        id,
        workflow: "Ship".into(),
        version: 1,
        input: b"{}".to_vec(),
        output: None,
        key: None,
        correlation: None,
        parent: None,
        timeout: None,
        end_routed: false,
        first: step(id, "pack"),
        step: None,
        fingerprint: 0,
    }
}

async fn add(store: &SqliteStore, tasks: impl IntoIterator<Item = NewTask>) -> Vec<Dispatched> {
    store.dispatch(tasks.into_iter().map(NewWork::Task).collect()).await.unwrap()
}

/// A worker that knows the tasks `a` and `b`, and the steps of `Ship`.
struct Crew {
    id: WorkerId,
    inbox: UnboundedReceiver<Delivery>,
}

impl Crew {
    async fn attach(store: &SqliteStore) -> Self {
        Self::attach_knowing(store, &["a", "b"]).await
    }

    async fn attach_knowing(store: &SqliteStore, tasks: &[&str]) -> Self {
        let id = WorkerId::new();
        let (deliveries, inbox) = unbounded_channel();
        let steps = ["pack", "send"].map(str::to_owned).into();
        let knows = Known {
            tasks: tasks.iter().map(|&task| task.to_owned()).collect(),
            steps: [("Ship".to_owned(), steps)].into(),
        };
        let info =
            WorkerInfo { queues: Vec::new(), id, place: "host:1".to_owned(), lease: Duration::from_secs(30), knows };
        store.attach(info, deliveries).await.unwrap();
        Self { id, inbox }
    }

    fn wants(&self, store: &SqliteStore, slots: u32) {
        store.settle(self.id, Vec::new(), vec![("default".to_owned(), slots)]);
    }

    fn ends(&self, store: &SqliteStore, claim: Claim, verdict: Verdict) {
        let finished = Finished { claim, verdict, notes: Notes::default() };
        store.settle(self.id, vec![finished], vec![("default".to_owned(), 1)]);
    }

    async fn claimed(&mut self) -> Vec<Claimed> {
        match self.inbox.recv().await {
            Some(Delivery::Claimed(tasks)) => tasks,
            other => panic!("{other:?}"),
        }
    }

    async fn settled(&mut self) -> Vec<(Claim, Settled)> {
        match self.inbox.recv().await {
            Some(Delivery::Settled(settled)) => settled,
            other => panic!("{other:?}"),
        }
    }

    /// That nothing came, once everything asked so far was done.
    async fn got_nothing(&mut self, store: &SqliteStore) {
        store.beat(self.id).await.unwrap();
        let got = self.inbox.try_recv();
        assert!(got.is_err(), "{got:?}");
    }
}

fn done(work: impl IntoIterator<Item = NewTask>) -> Verdict {
    let work = work.into_iter().map(NewWork::Task).collect();
    Verdict::Succeeded { output: b"null".to_vec(), next: Follow { work, ..Follow::default() } }
}

async fn state(store: &SqliteStore, id: TaskId) -> TaskState {
    store.task(id).await.unwrap().unwrap().state
}

async fn assert_sound(store: &SqliteStore) {
    assert_eq!(store.verify().await.unwrap(), []);
}
