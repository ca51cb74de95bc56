//! How many tasks of a queue may start in a time.

use std::sync::Arc;

use crate::DEFAULT_QUEUE;
use crate::store::{QueueRules, QueueState, Rate, TaskState};

use super::bench::{Bench, everything, ok, secs, send, succeeded, task, then};
use super::terms::{a_second, millis, times};
use super::worker::TestWorker;

fn limited(rate: Rate) -> QueueRules {
    QueueRules { rate: Some(rate), ..QueueRules::default() }
}

async fn full(bench: &Bench, rate: Rate, tasks: usize) -> TestWorker {
    bench.set_rules(DEFAULT_QUEUE, limited(rate)).await;
    bench.offer((0..tasks).map(|_| send()).collect()).await.unwrap();
    let worker = bench.worker().await;
    worker.free(1_000);
    worker
}

pub(super) async fn a_burst_starts_and_then_one_by_one(bench: Bench) {
    let mut worker = full(&bench, a_second(4, 3), 9).await;
    let came = bench.watch(&mut worker, secs(2), millis(10)).await;
    assert_eq!(times(&came), [0, 0, 0, 250, 500, 750, 1_000, 1_250, 1_500]);
}

pub(super) async fn without_a_burst_they_are_evenly_spaced(bench: Bench) {
    let mut worker = full(&bench, a_second(5, 1), 6).await;
    let came = bench.watch(&mut worker, secs(1), millis(1)).await;
    assert_eq!(times(&came), [0, 200, 400, 600, 800, 1_000]);
}

pub(super) async fn no_window_holds_more_than_the_rate_and_the_burst(bench: Bench) {
    let mut worker = full(&bench, a_second(10, 4), 200).await;
    let starts = times(&bench.watch(&mut worker, secs(4), millis(25)).await);
    assert_eq!(starts.len(), 4 + 40);
    for (index, start) in starts.iter().enumerate() {
        let within = starts[index..].iter().take_while(|&&other| other < start + 1_000).count();
        assert!(within <= 10 + 3, "{within} in the second from {start}");
    }
}

pub(super) async fn the_burst_comes_back_with_a_rest(bench: Bench) {
    let mut worker = full(&bench, a_second(2, 3), 3).await;
    assert_eq!(worker.came().await.len(), 3);
    bench.clock.advance(millis(1_000));
    bench.offer((0..9).map(|_| send()).collect()).await.unwrap();
    assert_eq!(worker.came().await.len(), 2, "two came back in a second");
    bench.clock.advance(secs(60));
    assert_eq!(worker.came().await.len(), 3, "never more than the burst");
}

pub(super) async fn the_rest_stay_as_they_are(bench: Bench) {
    let now = bench.now();
    let mut worker = full(&bench, a_second(1, 1), 3).await;
    worker.came().await;
    bench.clock.advance(millis(999));
    worker.quiet().await;
    let waiting: Vec<_> = bench.all_tasks().await.into_iter().filter(|task| task.state == TaskState::Ready).collect();
    assert_eq!(waiting.len(), 2);
    assert!(waiting.iter().all(|task| task.run_at == now && task.fence == 0));
}

pub(super) async fn it_is_shared_by_all_workers(bench: Bench) {
    let mut first = full(&bench, a_second(2, 2), 9).await;
    let mut second = bench.worker().await;
    second.free(9);
    assert_eq!(first.came().await.len() + second.came().await.len(), 2);
    bench.clock.advance(millis(500));
    assert_eq!(first.came().await.len() + second.came().await.len(), 1);
}

pub(super) async fn what_is_handed_over_counts(bench: Bench) {
    let mut worker = full(&bench, a_second(1, 2), 1).await;
    let claim = worker.next().await.claim;
    let next = task("ship");
    worker.finish(claim, succeeded(then([next]))).await;
    let claim = worker.next().await.claim;
    let last = task("ship");
    let id = last.id;
    worker.finish(claim, succeeded(then([last]))).await;
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Ready);
    bench.clock.advance(secs(1));
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn a_faster_rate_holds_at_once(bench: Bench) {
    let slow = Rate { tasks: 1, per: secs(3_600), burst: 1 };
    let mut worker = full(&bench, slow, 5).await;
    assert_eq!(worker.came().await.len(), 1);
    bench.set_rules(DEFAULT_QUEUE, limited(a_second(10, 1))).await;
    let came = bench.watch(&mut worker, millis(400), millis(100)).await;
    assert_eq!(times(&came), [100, 200, 300, 400]);
}

pub(super) async fn a_clock_that_goes_back_does_not_hold_it(bench: Bench) {
    let mut worker = full(&bench, a_second(1, 1), 3).await;
    assert_eq!(worker.came().await.len(), 1);
    let back = crate::schedule::Timestamp::from_millis(bench.now().as_millis() - 3_600_000);
    bench.clock.set(back);
    let came = bench.watch(&mut worker, secs(2), millis(500)).await;
    assert_eq!(times(&came), [1_000, 2_000]);
}

pub(super) async fn it_goes_with_a_concurrency(bench: Bench) {
    let rules = QueueRules { concurrency: Some(2), ..limited(a_second(2, 5)) };
    bench.set_rules(DEFAULT_QUEUE, rules).await;
    bench.offer((0..9).map(|_| send()).collect()).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(9);
    let mut claims: Vec<_> = worker.came().await.into_iter().map(|claimed| claimed.claim).collect();
    assert_eq!(claims.len(), 2);
    let mut started = 2;
    while let Some(claim) = claims.pop() {
        worker.finish(claim, ok()).await;
        let came = worker.came().await;
        started += came.len();
        claims.extend(came.into_iter().map(|claimed| claimed.claim));
    }
    assert_eq!(started, 5, "the burst is used up, whatever is free");
}

pub(super) async fn a_pause_keeps_its_budget(bench: Bench) {
    let mut worker = full(&bench, a_second(1, 1), 3).await;
    assert_eq!(worker.came().await.len(), 1);
    bench.set_state(DEFAULT_QUEUE, QueueState::Paused).await;
    bench.clock.advance(secs(10));
    worker.quiet().await;
    bench.set_state(DEFAULT_QUEUE, QueueState::Open).await;
    assert_eq!(worker.came().await.len(), 1, "a pause is a rest, and there is no burst");
}

pub(super) async fn two_workers_at_once_keep_it(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, limited(a_second(1, 25))).await;
    bench.offer((0..100).map(|_| send()).collect()).await.unwrap();
    let store = Arc::clone(&bench.store);
    let came = super::bench::on_threads(4, move |_| {
        let store = Arc::clone(&store);
        async move {
            let mut worker = TestWorker::attach(store, "here", everything()).await;
            let mut came = 0;
            for _ in 0..20 {
                worker.free(1);
                came += worker.came().await.len();
            }
            came
        }
    })
    .await;
    assert_eq!(came.into_iter().sum::<usize>(), 25);
}
