//! What a handler says of itself: progress, lines, snoozes; and what a shutdown does to it.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use evertask::prelude::*;
use evertask::store::TaskState;
use tokio::sync::Semaphore;

use crate::{on_each_store, worker};

/// Opens once for each task that has begun.
pub(crate) struct Gate(Semaphore);

pub(crate) fn gate() -> Arc<Gate> {
    static GATE: OnceLock<Arc<Gate>> = OnceLock::new();
    GATE.get_or_init(|| Arc::new(Gate(Semaphore::new(0)))).clone()
}

#[task]
async fn count(to: u64, cx: &Context) -> Result<u64, Infallible> {
    for n in 1..=to {
        cx.progress(n, to);
        cx.log(format!("at {n}"));
    }
    Ok(to)
}

#[task]
async fn wait_for_tide(cx: &Context) -> Result<u32, Infallible> {
    let Some(seen) = cx.data::<Tides>() else { return Ok(0) };
    if seen.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 {
        return cx.reschedule("1ms").await;
    }
    Ok(cx.attempt())
}

#[derive(Default)]
struct Tides(std::sync::atomic::AtomicU32);

#[task]
fn wait_for_tide_blocking(cx: &Context) -> Result<u32, Infallible> {
    let Some(seen) = cx.data::<Tides>() else { return Ok(0) };
    if seen.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 {
        drop(cx.reschedule::<()>(Duration::from_millis(1)));
    }
    Ok(cx.attempt())
}

#[task]
async fn sleep_for_ever(gate: &Gate) -> Result<(), Infallible> {
    gate.0.add_permits(1);
    std::future::pending().await
}

#[task]
async fn stop_when_told(gate: &Gate, cx: &Context) -> Result<(), Cancelled> {
    gate.0.add_permits(1);
    cx.cancelled().await;
    Err(Cancelled)
}

#[task]
async fn finish_when_told(gate: &Gate, cx: &Context) -> Result<u32, Cancelled> {
    gate.0.add_permits(1);
    cx.cancelled().await;
    Ok(7)
}

on_each_store! {
    async fn progress_and_lines_are_kept_with_the_task(dispatcher) {
        let worker = worker(&dispatcher).await;
        let task = dispatcher.dispatch(count { to: 3 }).await.unwrap();
        task.wait().await.unwrap();
        assert_eq!(dispatcher.get(task.id()).await.unwrap().unwrap().progress, Some((3, 3)));
        let lines: Vec<_> = dispatcher.log(task.id()).await.unwrap().into_iter().map(|line| line.text).collect();
        assert_eq!(lines, ["at 1", "at 2", "at 3"]);
        let many = dispatcher.dispatch(count { to: 5_000 }).await.unwrap();
        many.wait().await.unwrap();
        let kept = dispatcher.log(many.id()).await.unwrap();
        assert!((1_000..=1_001).contains(&kept.len()), "{}", kept.len());
        assert!(kept.last().unwrap().text.contains("the rest is not kept"), "{:?}", kept.last());
        worker.shutdown().await;
    }

    async fn a_snooze_is_not_an_attempt(dispatcher) {
        let worker = crate::settings(&dispatcher).data(Tides::default()).start().await.unwrap();
        let tide = dispatcher.dispatch(wait_for_tide {}).await.unwrap();
        assert_eq!(tide.wait().await.unwrap(), 1);
        let record = dispatcher.get(tide.id()).await.unwrap().unwrap();
        assert_eq!((record.interrupts, record.failures, record.fence), (2, 0, 3));
        worker.shutdown().await;
    }

    async fn a_blocking_task_snoozes_too(dispatcher) {
        let worker = crate::settings(&dispatcher).data(Tides::default()).start().await.unwrap();
        let tide = dispatcher.dispatch(wait_for_tide_blocking {}).await.unwrap();
        assert_eq!(tide.wait().await.unwrap(), 1);
        assert_eq!(dispatcher.get(tide.id()).await.unwrap().unwrap().interrupts, 2);
        worker.shutdown().await;
    }

    async fn a_shutdown_hands_back_what_does_not_end(dispatcher) {
        let worker = worker(&dispatcher).await;
        let stuck = dispatcher.dispatch(sleep_for_ever {}).await.unwrap();
        let polite = dispatcher.dispatch(stop_when_told {}).await.unwrap();
        let done = dispatcher.dispatch(finish_when_told {}).await.unwrap();
        gate().0.acquire_many(3).await.unwrap().forget();
        let report = worker.shutdown_within(Duration::from_millis(50)).await;
        assert_eq!((report.drained, report.handed_back), (1, 2));
        assert_eq!(done.wait().await.unwrap(), 7);
        for id in [stuck.id(), polite.id()] {
            let record = dispatcher.get(id).await.unwrap().unwrap();
            assert_eq!((record.state, record.interrupts, record.failures), (TaskState::Ready, 1, 0));
        }
        assert_eq!(dispatcher.store().workers().await.unwrap(), []);
    }

    async fn a_dropped_worker_hands_back_what_runs(dispatcher) {
        let worker = worker(&dispatcher).await;
        let stuck = dispatcher.dispatch(sleep_for_ever {}).await.unwrap();
        gate().0.acquire().await.unwrap().forget();
        drop(worker);
        // Whoever starts next runs it again.
        let next = crate::worker(&dispatcher).await;
        gate().0.acquire().await.unwrap().forget();
        let record = dispatcher.get(stuck.id()).await.unwrap().unwrap();
        assert_eq!((record.state, record.interrupts, record.fence), (TaskState::Running, 1, 2));
        next.shutdown_within(Duration::ZERO).await;
    }
}
