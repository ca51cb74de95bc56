//! Three nodes on one file whose clocks disagree, and one that jumps: nobody loses a lease by it, and nothing
//! runs twice.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use evertask::store::{SqliteStore, TaskFilter, TaskState};
use evertask::{Clock, DispatchOptions as _, Dispatcher, Queue, SystemClock, Timestamp, Worker};
use evertask_tests::check::integrity;
use evertask_tests::faults::work;
use evertask_tests::full;
use evertask_tests::laps::Track;
use evertask_tests::process::Place;
use evertask_tests::record::idle;
use evertask_tests::witness::{self, Witness, Word};

const HOUR: i64 = 3_600_000;

/// The system's clock, set wrong by so many milliseconds.
#[derive(Clone, Default)]
struct Wrong(Arc<AtomicI64>);

impl Wrong {
    fn by(millis: i64) -> Self {
        Self(Arc::new(AtomicI64::new(millis)))
    }

    fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }
}

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().as_millis() + self.0.load(Ordering::Relaxed))
    }
}

async fn node(place: &Place, clock: &Wrong) -> (Dispatcher, Worker) {
    let (path, time) = (place.database(), clock.clone());
    let store = tokio::task::spawn_blocking(move || SqliteStore::open(&path, Arc::new(time))).await.unwrap().unwrap();
    let dispatcher = Dispatcher::with_store(Arc::new(store), Arc::new(clock.clone()));
    let witness = Witness::open(&place.witness(), false).unwrap();
    let track = Arc::new(Track { witness, dispatcher: dispatcher.clone(), gate_is_open: true });
    let worker = dispatcher.worker().data_dyn(track).lease("1500ms");
    let worker = worker.queue(evertask::DEFAULT_QUEUE, Queue::new().concurrency(4)).start().await.unwrap();
    (dispatcher, worker)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_disagree_and_jump_cost_no_execution() {
    // Handlers take longer than a lease, so that one that is taken from the living is seen.
    let (tasks, millis) = if full() { (120, 4_000) } else { (36, 2_000) };
    let place = Place::new();
    let clocks = [Wrong::by(10_000), Wrong::by(-10_000), Wrong::default()];
    let mut nodes = Vec::new();
    for clock in &clocks {
        nodes.push(node(&place, clock).await);
    }
    let begun = Instant::now();
    for nth in 0..tasks {
        nodes[nth % 3].0.dispatch(work { millis }).await.unwrap();
    }
    let mut jumps = 0;
    let observer = nodes[2].0.clone();
    let idle = idle(&observer);
    tokio::pin!(idle);
    // An hour ahead, back, an hour behind, back, in the middle of it all.
    for jump in [HOUR, 0, -HOUR, 0].into_iter().cycle() {
        let over = tokio::time::timeout(Duration::from_millis(700), &mut idle).await;
        if over.is_ok() {
            break;
        }
        clocks[2].set(jump);
        jumps += 1;
    }
    let took = begun.elapsed();
    let records = nodes[0].0.list(TaskFilter::new().limit(10_000)).await.unwrap();
    let lines = witness::read(&place.witness());
    let executions = lines.iter().filter(|line| line.word == Word::Begin).count();
    println!(
        "clocks +10 s, -10 s, and one that jumped by an hour {jumps} times: {executions} executions of {tasks} tasks in {took:.1?}"
    );
    assert!(jumps >= 4, "the clock did not jump both ways, which proves nothing");
    assert_eq!((records.len(), executions), (tasks, tasks));
    assert!(records.iter().all(|task| task.state == TaskState::Succeeded && task.fence == 1 && task.crashes == 0));

    // A delayed task is due by the clock of the node that looks: after a jump ahead, at once.
    let delayed = nodes[0].0.dispatch(work { millis: 1 }.after("30m")).await.unwrap();
    clocks[2].set(HOUR);
    let waited = Instant::now();
    delayed.wait().await.unwrap();
    println!("a delay of 30 min was over {:.1?} after a jump of an hour", waited.elapsed());
    for (dispatcher, worker) in nodes {
        worker.shutdown().await;
        assert_eq!(dispatcher.verify().await.unwrap(), []);
        dispatcher.close().await.unwrap();
    }
    assert_eq!(integrity(&place.database()), Vec::<String>::new());
}
