//! Handlers that block every thread of the runtime, for longer than the lease.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use evertask::Dispatcher;
use evertask::store::{TaskFilter, TaskState};
use evertask_tests::full;
use evertask_tests::laps::{Track, block};
use evertask_tests::process::Place;
use evertask_tests::witness::{Witness, Word, read};

/// A worker gives so many signs of life in the time of a lease.
const BEATS_PER_LEASE: u32 = 6;

/// The longest time between two signs of life, as the file has them, and how many there were.
fn watch(place: &Place, until: &AtomicBool) -> (Duration, u32) {
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    let mut beat = conn.prepare("SELECT max(beat) FROM worker").unwrap();
    let (mut seen, mut since, mut longest, mut beats) = (None, Instant::now(), Duration::ZERO, 0);
    while !until.load(Ordering::Relaxed) {
        let now: Option<i64> = beat.query_row([], |row| row.get(0)).unwrap();
        if now.is_some() && now != seen {
            if seen.is_some() {
                longest = longest.max(since.elapsed());
                beats += 1;
            }
            (seen, since) = (now, Instant::now());
        }
        // The bar's own resolution.
        std::thread::sleep(Duration::from_millis(2));
    }
    // What has not come until now counts too.
    (longest.max(since.elapsed()), beats)
}

/// `most` intervals may lie between two signs of life.
fn starve(blocked: Duration, lease: Duration, most: f64) {
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let url = format!("sqlite:{}", place.database().display());
    let (dispatcher, worker) = runtime.block_on(async {
        let dispatcher = Dispatcher::open(&url).await.unwrap();
        let witness = Witness::open(&place.witness(), false).unwrap();
        let track = Arc::new(Track { witness, dispatcher: dispatcher.clone(), gate_is_open: true });
        let worker = dispatcher.worker().data_dyn(track).lease(lease).start().await.unwrap();
        (dispatcher, worker)
    });
    // Somebody who would take over, on a runtime that is not blocked.
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (observer, observing) = other.block_on(async {
        let observer = Dispatcher::open(&url).await.unwrap();
        let witness = Witness::open(&place.witness(), false).unwrap();
        let track = Arc::new(Track { witness, dispatcher: observer.clone(), gate_is_open: true });
        // It has no slot for these tasks, but it looks after the dead.
        let idle = observer.worker().data_dyn(track).lease("1h").only_named_queues();
        let idle = idle.queue("stops", evertask::Queue::new()).start().await.unwrap();
        (observer, idle)
    });
    let millis = u64::try_from(blocked.as_millis()).unwrap();
    let begun = Instant::now();
    let tasks =
        runtime.block_on(async { dispatcher.dispatch_all([block { millis }, block { millis }]).await.unwrap() });
    let ((longest, beats), took) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&place, &over));
        other.block_on(async {
            for task in &tasks {
                observer.handle::<block>(task.id()).wait().await.unwrap();
            }
        });
        let took = begun.elapsed();
        over.store(true, Ordering::Relaxed);
        (watching.join().unwrap(), took)
    });
    let interval = lease / BEATS_PER_LEASE;
    let records = other.block_on(observer.list(TaskFilter::new())).unwrap();
    let losses: u32 = records.iter().map(|task| task.crashes).sum();
    println!(
        "2 handlers blocked 2 threads for {took:.1?}, lease {lease:?}: {losses} leases lost, {beats} signs of life, {longest:.0?} apart at most, of {interval:.0?}"
    );
    assert!(took < blocked * 2, "they did not block both threads at once, which proves nothing");
    assert!(took > lease * 3, "it was shorter than the lease, which proves nothing");
    let begun = read(&place.witness()).iter().filter(|line| line.word == Word::Begin).count();
    assert_eq!((losses, begun), (0, 2));
    assert!(records.iter().all(|task| task.state == TaskState::Succeeded && task.fence == 1));
    assert!(beats >= 10 && longest <= interval.mul_f64(most), "{longest:?} between two of {beats}");
    other.block_on(observing.shutdown());
    runtime.block_on(worker.shutdown());
}

#[test]
fn handlers_that_block_every_thread_cost_no_lease() {
    if full() {
        starve(Duration::from_secs(10), Duration::from_secs(2), 1.5);
    } else {
        // Beside other tests any thread may be held up for 100 ms: then half a lease is the bar.
        starve(Duration::from_secs(4), Duration::from_millis(1_200), 3.0);
    }
}
