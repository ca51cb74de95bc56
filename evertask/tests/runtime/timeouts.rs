//! Attempts that take too long, and handlers that go on all the same.

use std::convert::Infallible;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use evertask::prelude::*;
use evertask::store::{TaskFilter, TaskState};
use evertask::{Dispatcher, FailureKind, FailureReport, Handle, Queue, RunError};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::on_each_store;

/// Where blocking handlers stay until the test lets them go; it keeps what everybody says.
#[derive(Default)]
struct Latch {
    is_open: Mutex<bool>,
    opened: Condvar,
    said: watch::Sender<Vec<String>>,
}

impl Latch {
    fn say(&self, what: impl Into<String>) {
        self.said.send_modify(|said| said.push(what.into()));
    }

    fn pass(&self) {
        let open = self.opened.wait_while(self.is_open.lock().unwrap(), |open| !*open).unwrap();
        drop(open);
    }

    fn open(&self) {
        self.say("opened");
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    async fn hear(&self, what: &str) {
        self.said.subscribe().wait_for(|said| said.iter().any(|said| said == what)).await.unwrap();
    }
}

/// Blocks, whatever it is told, until the latch opens.
#[task(timeout = "20ms", queue = "slow")]
fn block(cx: &Context) -> Result<u32, Infallible> {
    let Some(latch) = cx.data::<Latch>() else { return Ok(0) };
    latch.say("blocks");
    latch.pass();
    latch.say(if cx.is_cancelled() { "was told" } else { "was not told" });
    Ok(1)
}

/// The same without a time-out.
#[task(queue = "slow")]
fn block_for_ever(cx: &Context) -> Result<u32, Infallible> {
    let Some(latch) = cx.data::<Latch>() else { return Ok(0) };
    latch.say("blocks");
    latch.pass();
    Ok(1)
}

/// Puts itself off, and goes on for a while.
#[task(queue = "slow")]
fn put_off_and_block(cx: &Context) -> Result<u32, Infallible> {
    let Some(latch) = cx.data::<Latch>() else { return Ok(0) };
    if latch.said.borrow().iter().any(|said| said == "put off") {
        return Ok(2);
    }
    drop(cx.reschedule::<()>(Duration::from_millis(1)));
    latch.say("put off");
    latch.pass();
    latch.say("returns");
    Ok(1)
}

#[task(queue = "slow")]
async fn next(cx: &Context) -> Result<(), Infallible> {
    if let Some(latch) = cx.data::<Latch>() {
        latch.say("next");
    }
    Ok(())
}

/// Returns when it is told.
#[task(timeout = "20ms")]
async fn too_late(cx: &Context) -> Result<u32, Infallible> {
    cx.cancelled().await;
    cx.log("told");
    Ok(7)
}

/// Tidies up for some seconds when it is told.
#[task(timeout = "1m")]
async fn tidy_up(seconds: u64, cx: &Context) -> Result<u32, Infallible> {
    cx.cancelled().await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    cx.log("tidied up");
    Ok(7)
}

async fn failure<W: Work>(of: &Handle<W>) -> FailureReport {
    match of.wait().await {
        Err(RunError::Failed { report, .. }) => report,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it succeeded"),
    }
}

fn one_slot(dispatcher: &Dispatcher, latch: &Arc<Latch>) -> evertask::WorkerBuilder {
    crate::settings(dispatcher).data_dyn(latch.clone()).queue("slow", Queue::new().concurrency(1))
}

async fn lines(dispatcher: &Dispatcher, id: evertask::TaskId) -> Vec<String> {
    dispatcher.log(id).await.unwrap().into_iter().map(|line| line.text).collect()
}

on_each_store! {
    async fn a_handler_is_told_and_its_late_result_is_refused(dispatcher) {
        let worker = crate::settings(&dispatcher).grace("1h").start().await.unwrap();
        let task = dispatcher.dispatch(too_late {}).await.unwrap();
        let report = failure(&task).await;
        assert_eq!((report.kind, report.attempts), (FailureKind::Timeout, 1));
        let record = dispatcher.get(task.id()).await.unwrap().unwrap();
        assert_eq!((record.state, record.failures, record.output), (TaskState::Failed, 1, None));
        assert_eq!(lines(&dispatcher, task.id()).await, ["told"]);
        worker.shutdown().await;
    }

    async fn a_blocking_handler_keeps_its_slot_until_it_returns(dispatcher) {
        let latch = Arc::new(Latch::default());
        let worker = one_slot(&dispatcher, &latch).start().await.unwrap();
        let health = worker.health();
        assert!(health.is_healthy());
        let slow = dispatcher.dispatch(block {}).await.unwrap();
        latch.hear("blocks").await;
        let waiting = dispatcher.dispatch(next {}).await.unwrap();
        // It is recorded as it is, though its thread goes on.
        assert_eq!(failure(&slow).await.kind, FailureKind::Timeout);
        assert_eq!((health.leaked(), health.is_healthy()), (1, false), "its queue has no other slot");
        assert_eq!(dispatcher.get(waiting.id()).await.unwrap().unwrap().state, TaskState::Ready);
        latch.open();
        waiting.wait().await.unwrap();
        assert_eq!(*latch.said.borrow(), ["blocks", "opened", "was told", "next"]);
        assert_eq!((health.leaked(), health.is_healthy()), (0, true));
        let record = dispatcher.get(slow.id()).await.unwrap().unwrap();
        assert_eq!((record.state, record.fence, record.output), (TaskState::Failed, 1, None));
        worker.shutdown().await;
        assert!(!health.is_healthy(), "a worker that is gone is not well");
    }

    async fn a_cancelled_blocking_handler_keeps_its_slot_too(dispatcher) {
        let latch = Arc::new(Latch::default());
        let worker = one_slot(&dispatcher, &latch).start().await.unwrap();
        let slow = dispatcher.dispatch(block_for_ever {}).await.unwrap();
        latch.hear("blocks").await;
        slow.cancel().await.unwrap();
        assert!(matches!(slow.wait().await, Err(RunError::Cancelled { .. })));
        let waiting = dispatcher.dispatch(next {}).await.unwrap();
        assert_eq!(worker.health().leaked(), 1);
        latch.open();
        waiting.wait().await.unwrap();
        assert_eq!(*latch.said.borrow(), ["blocks", "opened", "next"]);
        worker.shutdown().await;
    }

    async fn a_worker_with_too_many_leaked_threads_is_not_healthy(dispatcher) {
        let latch = Arc::new(Latch::default());
        let worker = crate::settings(&dispatcher).data_dyn(latch.clone()).max_leaked(2).start().await.unwrap();
        let health = worker.health();
        let mut seen = Vec::new();
        for _ in 0..2 {
            let slow = dispatcher.dispatch(block {}).await.unwrap();
            failure(&slow).await;
            seen.push((health.leaked(), health.is_healthy()));
        }
        assert_eq!(seen, [(1, true), (2, false)]);
        latch.open();
        // A shutdown waits for no thread.
        let report = worker.shutdown().await;
        assert!(report.leaked <= 2, "{report:?}");
    }

    async fn a_shutdown_hands_back_a_blocking_handler_and_does_not_wait_for_it(dispatcher) {
        let latch = Arc::new(Latch::default());
        let worker = one_slot(&dispatcher, &latch).start().await.unwrap();
        let slow = dispatcher.dispatch(block_for_ever {}).await.unwrap();
        latch.hear("blocks").await;
        let report = worker.shutdown_within(Duration::ZERO).await;
        assert_eq!((report.drained, report.handed_back, report.leaked), (0, 1, 1));
        let record = dispatcher.get(slow.id()).await.unwrap().unwrap();
        assert_eq!((record.state, record.interrupts, record.failures), (TaskState::Ready, 1, 0));
        latch.open();
    }

    async fn a_blocking_handler_is_put_off_when_it_returns(dispatcher) {
        let latch = Arc::new(Latch::default());
        let worker = one_slot(&dispatcher, &latch).start().await.unwrap();
        let task = dispatcher.dispatch(put_off_and_block {}).await.unwrap();
        latch.hear("put off").await;
        let running = dispatcher.list(TaskFilter::new().state(TaskState::Running)).await.unwrap();
        assert_eq!(running.len(), 1, "it runs as long as its thread does");
        latch.open();
        assert_eq!(task.wait().await.unwrap(), 2);
        assert_eq!(*latch.said.borrow(), ["put off", "opened", "returns"]);
        assert_eq!(worker.health().leaked(), 0);
        worker.shutdown().await;
    }

    async fn a_deadline_at_the_end_of_time_is_one(dispatcher) {
        let worker = crate::settings(&dispatcher).lease(Duration::MAX).grace(Duration::MAX).start().await.unwrap();
        dispatcher.dispatch(too_late {}).await.unwrap();
        worker.shutdown_within(Duration::MAX).await;
    }
}

/// How long an attempt takes that tidies up for so long, and what it logs.
async fn takes(seconds: u64, grace: &str) -> (u64, Vec<String>) {
    let dispatcher = Dispatcher::open("memory:").await.unwrap();
    let worker = crate::settings(&dispatcher).grace(grace).start().await.unwrap();
    let begun = Instant::now();
    let task = dispatcher.dispatch(tidy_up { seconds }).await.unwrap();
    assert_eq!(failure(&task).await.kind, FailureKind::Timeout);
    let took = begun.elapsed().as_secs();
    let lines = lines(&dispatcher, task.id()).await;
    worker.shutdown().await;
    (took, lines)
}

#[tokio::test(start_paused = true)]
async fn between_the_time_out_and_the_drop_is_the_grace() {
    assert_eq!(takes(3, "5s").await, (63, vec!["tidied up".to_owned()]), "it returned within the grace");
    assert_eq!(takes(30, "5s").await, (65, Vec::new()), "it was dropped after the grace");
    assert_eq!(takes(30, "0s").await, (60, Vec::new()));
}
