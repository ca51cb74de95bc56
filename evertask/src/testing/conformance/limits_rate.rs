//! How many tasks of a bucket start in a time, whatever their queue and name.

use crate::DEFAULT_QUEUE;
use crate::store::{NewTask, QueueState, Rate, TaskState};

use super::bench::{Bench, ok, retry, secs, send, succeeded, task, then};
use super::terms::{a_second, millis, queued, rated, times};

pub(super) async fn a_burst_starts_and_then_one_by_one(bench: Bench) {
    bench.offer((0..8).map(|_| rated("r", a_second(4, 3), send())).collect()).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(20);
    let came = bench.watch(&mut worker, secs(2), millis(10)).await;
    assert_eq!(times(&came), [0, 0, 0, 250, 500, 750, 1_000, 1_250]);
}

pub(super) async fn no_window_holds_more_than_the_rate_and_the_burst(bench: Bench) {
    bench.offer((0..100).map(|_| rated("r", a_second(10, 4), send())).collect()).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(200);
    let starts = times(&bench.watch(&mut worker, secs(4), millis(25)).await);
    assert_eq!(starts.len(), 4 + 40);
    for (index, start) in starts.iter().enumerate() {
        let within = starts[index..].iter().take_while(|&&other| other < start + 1_000).count();
        assert!(within <= 10 + 3, "{within} in the second from {start}");
    }
}

pub(super) async fn it_is_put_back_once_with_its_time(bench: Bench) {
    let mut added = Vec::new();
    for _ in 0..4 {
        added.push(bench.add(rated("r", a_second(1, 1), send())).await);
    }
    let now = bench.now();
    let mut worker = bench.worker().await;
    worker.free(9);
    worker.next().await;
    worker.quiet().await;
    for (&id, second) in added[1..].iter().zip(1..) {
        let kept = bench.task(id).await;
        assert_eq!((kept.state, kept.run_at, kept.fence), (TaskState::Ready, now.plus(secs(second)), 0));
        assert_eq!((kept.failures, kept.crashes, kept.interrupts), (0, 0, 0));
    }
    for &id in &added[1..] {
        bench.clock.advance(secs(1));
        assert_eq!(worker.next().await.claim.id, id);
        worker.quiet().await;
    }
}

pub(super) async fn it_uses_no_slot_of_the_worker(bench: Bench) {
    for _ in 0..3 {
        bench.add(rated("r", a_second(1, 1), send())).await;
    }
    let plain = bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.free(2);
    let taken = worker.take(2).await;
    assert_eq!(taken[1].claim.id, plain);
}

pub(super) async fn each_attempt_takes_one(bench: Bench) {
    let id = bench.add(rated("r", a_second(1, 1), send())).await;
    let mut worker = bench.worker().await;
    worker.free(9);
    let claim = worker.next().await.claim;
    worker.finish(claim, retry(secs(0))).await;
    worker.quiet().await;
    assert_eq!(bench.task(id).await.run_at, bench.later(secs(1)));
    bench.clock.advance(secs(1));
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn a_bucket_is_shared_by_names_and_queues(bench: Bench) {
    bench.add(rated("r", a_second(1, 1), send())).await;
    bench.add(rated("r", a_second(1, 1), task("charge"))).await;
    bench.add(rated("r", a_second(1, 1), queued("mail", send()))).await;
    let mut worker = bench.worker().await;
    worker.free(9);
    worker.free_in("mail", 9);
    assert_eq!(times(&bench.watch(&mut worker, secs(3), millis(500)).await), [0, 1_000, 2_000]);
}

pub(super) async fn buckets_are_apart(bench: Bench) {
    for bucket in ["a", "b", "c"] {
        bench.add(rated(bucket, a_second(1, 1), send())).await;
    }
    let mut worker = bench.worker().await;
    worker.free(9);
    assert_eq!(worker.came().await.len(), 3);
}

pub(super) async fn who_starts_late_is_counted_when_it_starts(bench: Bench) {
    for _ in 0..3 {
        bench.add(rated("r", a_second(1, 1), send())).await;
    }
    let mut worker = bench.worker().await;
    worker.free(9);
    worker.next().await;
    bench.set_state(DEFAULT_QUEUE, QueueState::Paused).await;
    // The times are one second and two from the beginning, and the first is over.
    bench.clock.advance(secs(2));
    bench.set_state(DEFAULT_QUEUE, QueueState::Open).await;
    let came = bench.watch(&mut worker, secs(2), millis(250)).await;
    assert_eq!(times(&came), [0, 1_000]);
}

pub(super) async fn no_window_holds_more_after_a_worker_was_busy(bench: Bench) {
    let rate = a_second(10, 3);
    bench.offer((0..60).map(|_| rated("r", rate, send())).collect()).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(200);
    let begin = bench.now();
    let mut starts = Vec::new();
    // Nobody looks for nearly a second, again and again.
    for busy in [300, 650, 999, 40, 1_000] {
        let since = begin.until(bench.now()).as_millis();
        let came = bench.watch(&mut worker, millis(500), millis(20)).await;
        starts.extend(times(&came).into_iter().map(|time| since + time));
        bench.set_state(DEFAULT_QUEUE, QueueState::Paused).await;
        bench.clock.advance(millis(busy));
        bench.set_state(DEFAULT_QUEUE, QueueState::Open).await;
    }
    assert!(starts.len() >= 25, "{} have started", starts.len());
    for (index, start) in starts.iter().enumerate() {
        let within = starts[index..].iter().take_while(|&&other| other < start + 1_000).count();
        assert!(within <= 10 + 2, "{within} in the second from {start}");
    }
}

pub(super) async fn what_comes_much_later_than_its_time_is_checked_anew(bench: Bench) {
    for _ in 0..4 {
        bench.add(rated("r", a_second(1, 1), send())).await;
    }
    let mut worker = bench.worker().await;
    worker.free(9);
    worker.next().await;
    bench.set_state(DEFAULT_QUEUE, QueueState::Paused).await;
    bench.clock.advance(secs(60));
    bench.set_state(DEFAULT_QUEUE, QueueState::Open).await;
    let came = bench.watch(&mut worker, secs(3), millis(100)).await;
    assert_eq!(times(&came), [0, 1_000, 2_000], "not all at once");
}

pub(super) async fn the_budget_comes_back_with_a_rest(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(20);
    for _ in 0..2 {
        bench.offer((0..3).map(|_| rated("r", a_second(1, 3), send())).collect()).await.unwrap();
        assert_eq!(worker.came().await.len(), 3);
        bench.clock.advance(secs(60));
    }
}

pub(super) async fn a_cancel_does_not_wait_for_its_time(bench: Bench) {
    let slow = Rate { tasks: 1, per: secs(3_600), burst: 1 };
    bench.add(rated("r", slow, send())).await;
    let id = bench.add(rated("r", slow, NewTask { cancel_routed: true, ..send() })).await;
    let plain = bench.add(rated("r", slow, send())).await;
    let mut worker = bench.worker().await;
    worker.free(9);
    worker.next().await;
    worker.quiet().await;
    bench.cancel(plain).await;
    assert_eq!(bench.state(plain).await, TaskState::Cancelled);
    bench.cancel(id).await;
    let claimed = worker.next().await;
    assert_eq!((claimed.claim.id, claimed.cancelled), (id, true));
}

pub(super) async fn it_is_never_handed_over(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let first = bench.add(send()).await;
    worker.finish_and_free(claim, succeeded(then([rated("r", a_second(1, 1), task("ship"))]))).await;
    assert_eq!(worker.next().await.claim.id, first);
    let claimed = worker.claim().await;
    assert_eq!(claimed.name, "ship");
    worker.finish(claimed.claim, ok()).await;
}

pub(super) async fn a_store_remembers_no_more_than_it_must(bench: Bench) {
    bench.add(rated("r", a_second(1, 1), send())).await;
    let mut worker = bench.worker().await;
    worker.free(9);
    worker.next().await;
    let keep_all = crate::store::Prune { most: 100, ..crate::store::Prune::default() };
    assert_eq!(bench.store.prune(keep_all).await, Ok(0));
    let second = bench.add(rated("r", a_second(1, 1), send())).await;
    worker.quiet().await;
    assert_eq!(bench.task(second).await.run_at, bench.later(secs(1)), "what is owed is not forgotten");
}
