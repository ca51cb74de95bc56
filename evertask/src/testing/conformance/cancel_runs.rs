//! Cancelling runs, and steps of runs.

use std::collections::HashSet;

use crate::failure::FailureKind;
use crate::id::{RunId, TaskId};
use crate::store::{Beat, CancelOutcome, Claim, Follow, NewTask, RunState, TaskState, Verdict};

use super::bench::{
    Bench, cancelled, done, failed, fails, flow, ok, retry, secs, send, snoozed, step, succeeded, then, undecodable,
};
use super::worker::TestWorker;

/// A run with two running steps, and one each that is ready, delayed and parked.
struct Busy {
    run: RunId,
    worker: TestWorker,
    running: [Claim; 2],
    waiting: [TaskId; 3],
}

async fn busy(bench: &Bench) -> Busy {
    let run = bench.start(flow()).await;
    let mut worker = bench.worker().await;
    let first = worker.claim().await.claim;
    let parked = step(run, "four");
    let steps =
        [step(run, "two"), step(run, "two"), step(run, "three"), NewTask { delay: secs(60), ..step(run, "three") }];
    let waiting = [steps[2].id, steps[3].id, parked.id];
    worker.finish(first, succeeded(then([parked].into_iter().chain(steps)))).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, undecodable()).await;
    worker.free(2);
    let claimed = worker.take(2).await;
    let running = [claimed[0].claim, claimed[1].claim];
    assert_eq!((claim.id, bench.run(run).await.open_tasks), (waiting[2], 5));
    Busy { run, worker, running, waiting }
}

pub(super) async fn a_run_that_only_waits_ends_at_once(bench: Bench) {
    let run = flow();
    let first = run.first.id;
    let run = bench.start(run).await;
    bench.clock.advance(secs(1));
    assert_eq!(bench.cancel(run).await, CancelOutcome::Cancelled);
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks, ended.failure), (RunState::Cancelled, 0, None));
    assert_eq!(ended.finished_at, Some(bench.now()));
    assert_eq!(bench.state(first).await, TaskState::Cancelled);
}

pub(super) async fn what_waits_ends_and_what_runs_is_told(bench: Bench) {
    let mut busy = busy(&bench).await;
    assert_eq!(bench.cancel(busy.run).await, CancelOutcome::Requested);
    for waiting in busy.waiting {
        assert_eq!(bench.state(waiting).await, TaskState::Cancelled);
    }
    let told = HashSet::from([busy.worker.told().await, busy.worker.told().await]);
    assert_eq!(told, HashSet::from(busy.running));
    let kept = bench.run(busy.run).await;
    assert_eq!((kept.state, kept.open_tasks, kept.finished_at), (RunState::Cancelling, 2, None));
    let Beat::Alive(claims) = busy.worker.beat().await else { panic!("the worker is listed") };
    assert_eq!(claims.into_iter().collect::<HashSet<_>>(), HashSet::from(busy.running));
    busy.worker.finish(busy.running[0], cancelled(Follow::default())).await;
    assert_eq!(bench.run(busy.run).await.open_tasks, 1);
    busy.worker.finish(busy.running[1], ok()).await;
    let ended = bench.run(busy.run).await;
    assert_eq!((ended.state, ended.open_tasks, ended.failure), (RunState::Cancelled, 0, None));
}

pub(super) async fn a_cancelling_run_takes_nothing_more(bench: Bench) {
    let mut busy = busy(&bench).await;
    bench.cancel(busy.run).await;
    let (own, others) = (step(busy.run, "four"), send());
    let (own_id, others_id) = (own.id, others.id);
    let next = Follow { output: Some(b"1".to_vec()), ..then([own, others]) };
    busy.worker.finish(busy.running[0], succeeded(next)).await;
    assert_eq!(bench.state(busy.running[0].id).await, TaskState::Succeeded);
    assert_eq!(bench.find(own_id).await, None, "nothing of the run follows");
    assert_eq!(bench.state(others_id).await, TaskState::Ready, "what the handler dispatched does");
    busy.worker.finish(busy.running[1], failed(fails("too late"))).await;
    let ended = bench.run(busy.run).await;
    assert_eq!((ended.state, ended.output, ended.failure), (RunState::Cancelled, None, None));
}

pub(super) async fn what_follows_a_cancel_runs_before_it_ends(bench: Bench) {
    let mut busy = busy(&bench).await;
    bench.cancel(busy.run).await;
    let undo = step(busy.run, "four");
    let undo_id = undo.id;
    busy.worker.finish(busy.running[0], cancelled(Follow { output: Some(b"1".to_vec()), ..then([undo]) })).await;
    busy.worker.finish(busy.running[1], cancelled(fails("too late"))).await;
    let kept = bench.run(busy.run).await;
    assert_eq!((kept.state, kept.open_tasks, kept.output), (RunState::Cancelling, 1, None));
    let claimed = busy.worker.claim().await;
    assert_eq!((claimed.claim.id, claimed.cancelled), (undo_id, false));
    busy.worker.finish_and_free(claimed.claim, retry(secs(0))).await;
    let claimed = busy.worker.next().await;
    assert_eq!(claimed.claim.id, undo_id, "it is tried again as any other");
    busy.worker.finish(claimed.claim, ok()).await;
    assert_eq!(bench.run_state(busy.run).await, RunState::Cancelled);
}

pub(super) async fn what_is_put_back_in_a_cancelling_run_ends(bench: Bench) {
    for verdict in [retry(secs(5)), snoozed(secs(5)), Verdict::Interrupted, undecodable()] {
        let run = bench.start(flow()).await;
        let mut worker = bench.worker().await;
        let claim = worker.claim().await.claim;
        assert_eq!(bench.cancel(run).await, CancelOutcome::Requested);
        worker.finish(claim, verdict.clone()).await;
        assert_eq!(bench.state(claim.id).await, TaskState::Cancelled, "{verdict:?}");
        assert_eq!(bench.run_state(run).await, RunState::Cancelled, "{verdict:?}");
    }
}

pub(super) async fn a_dead_worker_ends_a_cancelling_run(bench: Bench) {
    let run = bench.start(flow()).await;
    let mut worker = bench.worker().await;
    worker.claim().await;
    bench.cancel(run).await;
    bench.store.reclaim(vec![worker.peer().await]).await.unwrap();
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn a_routed_step_is_ended_by_a_worker(bench: Bench) {
    let mut run = flow();
    run.first.cancel_routed = true;
    let first = run.first.id;
    let run = bench.start(run).await;
    assert_eq!(bench.cancel(run).await, CancelOutcome::Requested);
    assert_eq!(bench.run_state(run).await, RunState::Cancelling);
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    assert_eq!((claimed.claim.id, claimed.cancelled), (first, true));
    worker.finish(claimed.claim, cancelled(Follow::default())).await;
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn a_run_that_ended_is_left_alone(bench: Bench) {
    let mut worker = bench.worker().await;
    for (next, state) in [(done("1"), RunState::Succeeded), (fails("no"), RunState::Failed)] {
        let run = bench.start(flow()).await;
        let claim = worker.claim().await.claim;
        worker.finish(claim, succeeded(next)).await;
        let before = bench.run(run).await;
        assert_eq!(bench.cancel(run).await, CancelOutcome::AlreadyFinished);
        assert_eq!((bench.run(run).await, before.state), (before, state));
    }
    let run = bench.start(flow()).await;
    bench.cancel(run).await;
    assert_eq!(bench.cancel(run).await, CancelOutcome::AlreadyFinished);
}

pub(super) async fn a_failing_run_still_fails(bench: Bench) {
    let mut busy = busy(&bench).await;
    busy.worker.finish(busy.running[0], failed(fails("no"))).await;
    assert_eq!(bench.run_state(busy.run).await, RunState::Compensating);
    assert_eq!(bench.cancel(busy.run).await, CancelOutcome::Requested);
    assert_eq!(bench.run_state(busy.run).await, RunState::Compensating);
    busy.worker.finish(busy.running[1], cancelled(Follow::default())).await;
    let ended = bench.run(busy.run).await;
    assert_eq!((ended.state, ended.failure.unwrap().message.as_str()), (RunState::Failed, "no"));
}

pub(super) async fn a_cancelling_run_may_be_asked_twice(bench: Bench) {
    let mut busy = busy(&bench).await;
    assert_eq!(bench.cancel(busy.run).await, CancelOutcome::Requested);
    let tidy = step(busy.run, "four");
    let tidy_id = tidy.id;
    busy.worker.finish(busy.running[0], cancelled(then([tidy]))).await;
    assert_eq!(bench.cancel(busy.run).await, CancelOutcome::Requested);
    assert_eq!(bench.run_state(busy.run).await, RunState::Cancelling);
    assert_eq!(bench.state(tidy_id).await, TaskState::Ready, "what follows the first cancel is spared by the second");
}

pub(super) async fn other_runs_go_on(bench: Bench) {
    let run = bench.start(flow()).await;
    let other = bench.start(flow()).await;
    bench.cancel(run).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    assert_eq!(claimed.of.unwrap().run, other);
    worker.finish(claimed.claim, succeeded(done("1"))).await;
    assert_eq!(bench.run_state(other).await, RunState::Succeeded);
}

pub(super) async fn a_step_that_is_cancelled_alone_fails_its_run(bench: Bench) {
    let mut busy = busy(&bench).await;
    assert_eq!(bench.cancel(busy.waiting[0]).await, CancelOutcome::Cancelled);
    let kept = bench.run(busy.run).await;
    assert_eq!((kept.state, kept.open_tasks), (RunState::Compensating, 2));
    let failure = kept.failure.expect("it says why");
    assert_eq!((failure.kind, failure.id), (FailureKind::Cancelled, busy.waiting[0].uuid()));
    assert_eq!((failure.task.as_str(), failure.message.as_str(), failure.attempts), ("send", "cancelled", 0));
    let told = HashSet::from([busy.worker.told().await, busy.worker.told().await]);
    assert_eq!(told, HashSet::from(busy.running));
    for claim in busy.running {
        busy.worker.finish(claim, cancelled(Follow::default())).await;
    }
    assert_eq!(bench.run_state(busy.run).await, RunState::Failed);
}

pub(super) async fn the_only_step_that_is_cancelled_ends_its_run(bench: Bench) {
    let run = flow();
    let first = run.first.id;
    let run = bench.start(run).await;
    assert_eq!(bench.cancel(first).await, CancelOutcome::Cancelled);
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks), (RunState::Failed, 0));
    assert_eq!(ended.failure.unwrap().kind, FailureKind::Cancelled);
}

pub(super) async fn a_running_step_that_is_told_alone_decides_what_follows(bench: Bench) {
    let run = bench.start(flow()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    assert_eq!(bench.cancel(claim.id).await, CancelOutcome::Requested);
    assert_eq!(bench.run_state(run).await, RunState::Running);
    let next = step(run, "two");
    worker.finish_and_free(claim, cancelled(then([next]))).await;
    let claimed = worker.next().await;
    assert_eq!(bench.run_state(run).await, RunState::Running, "its `on_cancel` arm goes on");
    worker.finish(claimed.claim, succeeded(done("1"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn a_step_that_is_told_alone_and_put_back_fails_its_run(bench: Bench) {
    for verdict in [retry(secs(5)), snoozed(secs(5)), Verdict::Interrupted] {
        let run = bench.start(flow()).await;
        let mut worker = bench.worker().await;
        let claim = worker.claim().await.claim;
        bench.cancel(claim.id).await;
        worker.finish(claim, verdict).await;
        assert_eq!(bench.state(claim.id).await, TaskState::Cancelled);
        let ended = bench.run(run).await;
        assert_eq!((ended.state, ended.failure.unwrap().kind), (RunState::Failed, FailureKind::Cancelled));
    }
}
