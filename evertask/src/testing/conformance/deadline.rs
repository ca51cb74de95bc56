//! How long a task may take in all: kept, and told to whoever claims it.

use crate::store::{NewTask, RunState};

use super::bench::{Bench, flow, retry, secs, send, step, succeeded, then};
use super::parts::{awaiting, begun};
use super::terms::{own, within};

pub(super) async fn it_counts_from_when_it_is_first_due(bench: Bench) {
    let deadline = bench.later(secs(70));
    let id = bench.add(within(secs(60), NewTask { delay: secs(10), ..send() })).await;
    assert_eq!(bench.task(id).await.deadline, Some(deadline));
    bench.clock.advance(secs(30));
    let mut worker = bench.worker().await;
    assert_eq!(worker.claim().await.deadline, Some(deadline));
}

pub(super) async fn a_retry_does_not_move_it(bench: Bench) {
    let deadline = bench.later(secs(60));
    bench.add(within(secs(60), send())).await;
    let mut worker = bench.worker().await;
    for _ in 0..3 {
        let claimed = worker.claim().await;
        assert_eq!(claimed.deadline, Some(deadline));
        worker.finish(claimed.claim, retry(secs(5))).await;
        bench.clock.advance(secs(5));
    }
}

pub(super) async fn the_store_leaves_it_to_the_worker(bench: Bench) {
    bench.add(within(secs(1), send())).await;
    bench.clock.advance(secs(100));
    let mut worker = bench.worker().await;
    assert_eq!(
        worker.claim().await.deadline,
        Some(bench.now().plus(secs(0)))
            .map(|now| { crate::schedule::Timestamp::from_millis(now.as_millis() - 99_000) })
    );
}

pub(super) async fn without_one_there_is_none(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    assert_eq!(worker.claim().await.deadline, None);
    assert_eq!(bench.task(id).await.deadline, None);
}

pub(super) async fn a_step_may_have_one(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let deadline = bench.later(secs(9));
    worker.finish_and_free(claim, succeeded(then([within(secs(9), step(run, "two"))]))).await;
    assert_eq!(worker.next().await.deadline, Some(deadline));
    assert_eq!(bench.run_state(run).await, RunState::Running);
}

pub(super) async fn what_waits_for_a_signal_for_ever_has_none(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish_and_free(claim, succeeded(then([within(secs(9), awaiting(run, "two"))]))).await;
    bench.signal(run, "two", "1").await;
    assert_eq!(worker.next().await.deadline, None);
}

pub(super) async fn what_a_dispatch_says_of_how_it_runs_comes_with_the_claim(bench: Bench) {
    bench.add(own("{\"timeout\":5}", send())).await;
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    assert_eq!(claimed.own.as_deref(), Some(&b"{\"timeout\":5}"[..]));
    worker.finish(claimed.claim, retry(secs(0))).await;
    assert_eq!(worker.claim().await.own.as_deref(), Some(&b"{\"timeout\":5}"[..]), "each time");
    assert_eq!(worker.claim().await.own, None);
}
