//! Time is the clock's: what is delayed becomes due when the clock says so, and not before.

use std::time::Duration;

use crate::failure::FailureKind;
use crate::id::TaskId;
use crate::schedule::Timestamp;
use crate::store::{Follow, NewRun, NewTask, RunState, TaskState, Verdict};

use super::bench::{Bench, cancelled, done, fails, flow, ok, retry, secs, send, snoozed, step, succeeded, then, works};

fn delayed(seconds: u64) -> NewTask {
    NewTask { delay: secs(seconds), ..send() }
}

pub(super) async fn a_delayed_task_comes_when_the_clock_reaches_it(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(1);
    let id = bench.add(delayed(60)).await;
    worker.quiet().await;
    bench.clock.advance(Duration::from_millis(59_999));
    worker.quiet().await;
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn a_delayed_task_that_is_due_waits_for_a_slot(bench: Bench) {
    let id = bench.add(delayed(60)).await;
    bench.clock.advance(secs(61));
    let mut worker = bench.worker().await;
    worker.quiet().await;
    assert_eq!(worker.claim().await.claim.id, id);
}

pub(super) async fn delayed_tasks_come_in_the_order_of_their_time(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(10);
    let last = bench.add(delayed(30)).await;
    let first = bench.add(delayed(10)).await;
    let second = bench.add(delayed(20)).await;
    for id in [first, second, last] {
        bench.clock.advance(secs(10));
        assert_eq!(worker.next().await.claim.id, id);
        worker.quiet().await;
    }
}

pub(super) async fn tasks_that_become_due_at_once_come_by_priority(bench: Bench) {
    let low = bench.add(NewTask { priority: -1, ..delayed(10) }).await;
    let high = bench.add(NewTask { priority: 1, ..delayed(20) }).await;
    bench.clock.advance(secs(20));
    let mut worker = bench.worker().await;
    worker.free(2);
    assert_eq!(super::claim::ids(&worker.take(2).await), [high, low]);
}

pub(super) async fn tasks_that_become_due_at_once_come_by_their_time(bench: Bench) {
    let first = bench.add(delayed(20)).await;
    let second = bench.add(delayed(10)).await;
    bench.clock.advance(secs(20));
    let third = bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.free(3);
    assert_eq!(super::claim::ids(&worker.take(3).await), [second, first, third]);
}

pub(super) async fn a_jump_of_the_clock_brings_all_that_is_due(bench: Bench) {
    bench.store.dispatch(works((1..=500).map(delayed))).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(1_000);
    worker.quiet().await;
    bench.clock.advance(secs(400));
    worker.take(400).await;
    worker.quiet().await;
    bench.clock.advance(secs(100));
    worker.take(100).await;
    worker.quiet().await;
}

pub(super) async fn no_more_become_claimed_than_slots_are_free(bench: Bench) {
    bench.store.dispatch(works((0..5).map(|_| delayed(10)))).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(2);
    bench.clock.advance(secs(10));
    worker.take(2).await;
    worker.quiet().await;
}

pub(super) async fn a_clock_that_goes_back_loses_nothing(bench: Bench) {
    let start = bench.now();
    let mut worker = bench.worker().await;
    worker.free(2);
    let id = bench.add(delayed(60)).await;
    bench.clock.set(Timestamp::from_millis(start.as_millis() - 3_600_000));
    let now = bench.add(send()).await;
    assert_eq!(worker.next().await.claim.id, now);
    worker.quiet().await;
    bench.clock.set(start.plus(secs(60)));
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn a_retry_comes_after_its_pause(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, retry(secs(30))).await;
    worker.quiet().await;
    bench.clock.advance(secs(29));
    worker.quiet().await;
    bench.clock.advance(secs(1));
    let claimed = worker.next().await;
    assert_eq!((claimed.claim.id, claimed.claim.fence, claimed.failures), (id, 2, 1));
}

pub(super) async fn a_snoozed_task_comes_after_its_pause(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, snoozed(secs(30))).await;
    bench.clock.advance(secs(29));
    worker.quiet().await;
    bench.clock.advance(secs(1));
    let claimed = worker.next().await;
    assert_eq!((claimed.claim.id, claimed.failures), (id, 0));
}

pub(super) async fn an_interrupted_task_comes_at_once(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, Verdict::Interrupted).await;
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn the_earlier_of_two_is_not_kept_waiting(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(2);
    let late = bench.add(delayed(100)).await;
    worker.quiet().await;
    let soon = bench.add(delayed(1)).await;
    bench.clock.advance(secs(1));
    assert_eq!(worker.next().await.claim.id, soon);
    bench.clock.advance(secs(99));
    assert_eq!(worker.next().await.claim.id, late);
}

pub(super) async fn times_are_the_clocks(bench: Bench) {
    let created = bench.now();
    let id: TaskId = bench.add(send()).await;
    bench.clock.advance(secs(7));
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    bench.clock.advance(secs(7));
    worker.finish(claim, ok()).await;
    let kept = bench.task(id).await;
    assert_eq!((kept.created_at, kept.run_at), (created, created));
    assert_eq!(kept.finished_at, Some(created.plus(secs(14))));
}

fn timed(seconds: u64) -> NewRun {
    NewRun { timeout: Some(secs(seconds)), ..flow() }
}

pub(super) async fn a_run_whose_time_is_up_fails(bench: Bench) {
    let run = timed(60);
    let first = run.first.id;
    let run = bench.start(run).await;
    bench.clock.advance(secs(59));
    assert_eq!(bench.store.expire_runs().await, Ok(Vec::new()));
    bench.clock.advance(secs(1));
    assert_eq!(bench.store.expire_runs().await.unwrap(), [run]);
    let ended = bench.run(run).await;
    let failure = ended.failure.expect("it says why");
    assert_eq!((ended.state, ended.finished_at), (RunState::Failed, Some(bench.now())));
    assert_eq!((failure.kind, failure.task.as_str(), failure.id), (FailureKind::Timeout, "flow", run.uuid()));
    assert_eq!(bench.state(first).await, TaskState::Cancelled);
    assert_eq!(bench.store.expire_runs().await, Ok(Vec::new()));
}

pub(super) async fn a_run_whose_time_is_up_stops_what_runs(bench: Bench) {
    let run = bench.start(timed(60)).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    bench.clock.advance(secs(60));
    assert_eq!(bench.store.expire_runs().await.unwrap(), [run]);
    assert_eq!(worker.told().await, claim);
    assert_eq!(bench.run_state(run).await, RunState::Compensating);
    assert_eq!(bench.store.expire_runs().await, Ok(Vec::new()), "it expires once");
    worker.finish(claim, succeeded(done("1"))).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.failure.unwrap().kind), (RunState::Failed, FailureKind::Timeout));
}

pub(super) async fn a_run_that_ended_does_not_expire(bench: Bench) {
    let mut worker = bench.worker().await;
    let succeeding = bench.start(timed(60)).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, succeeded(done("1"))).await;
    let cancelled = bench.start(timed(60)).await;
    bench.cancel(cancelled).await;
    let failing = bench.start(timed(60)).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, succeeded(fails("no"))).await;
    let untimed = bench.start(flow()).await;
    bench.clock.advance(secs(3_600));
    assert_eq!(bench.store.expire_runs().await, Ok(Vec::new()));
    assert_eq!(bench.run_state(succeeding).await, RunState::Succeeded);
    assert_eq!(bench.run_state(cancelled).await, RunState::Cancelled);
    assert_eq!(bench.run(failing).await.failure.unwrap().message, "no");
    assert_eq!(bench.run_state(untimed).await, RunState::Running);
}

pub(super) async fn a_run_that_is_being_cancelled_does_not_expire(bench: Bench) {
    let run = bench.start(timed(60)).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    bench.cancel(run).await;
    bench.clock.advance(secs(60));
    assert_eq!(bench.store.expire_runs().await, Ok(Vec::new()));
    worker.finish(claim, cancelled(Follow::default())).await;
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn several_runs_expire_in_one_call(bench: Bench) {
    let mut due = vec![bench.start(timed(10)).await, bench.start(timed(20)).await];
    let later = bench.start(timed(30)).await;
    bench.clock.advance(secs(20));
    let mut expired = bench.store.expire_runs().await.unwrap();
    expired.sort_unstable();
    due.sort_unstable();
    assert_eq!(expired, due);
    assert_eq!(bench.run_state(later).await, RunState::Running);
}

pub(super) async fn a_delayed_step_comes_in_its_run(bench: Bench) {
    let run = bench.start(flow()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, succeeded(then([NewTask { delay: secs(30), ..step(run, "two") }]))).await;
    worker.quiet().await;
    assert_eq!(bench.run_state(run).await, RunState::Running);
    bench.clock.advance(secs(30));
    let claimed = worker.next().await;
    worker.finish(claimed.claim, succeeded(done("1"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}
