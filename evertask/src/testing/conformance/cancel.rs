//! Cancelling tasks, in each of their states.

use std::collections::HashSet;

use crate::failure::FailureKind;
use crate::id::{RunId, TaskId, WorkId};
use crate::store::{Beat, CancelOutcome, Follow, NewTask, Selection, Settled, TaskState, Verdict};

use super::bench::{
    Bench, cancelled, failed, flow, knowing, ok, retry, secs, send, snoozed, succeeded, task, then, undecodable,
};
use super::worker::TestWorker;

fn routed() -> NewTask {
    NewTask { cancel_routed: true, ..send() }
}

/// A running task for which a cancel was asked, and its worker knows.
async fn told(bench: &Bench, task: NewTask) -> (TestWorker, crate::store::Claim) {
    bench.add(task).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    assert_eq!(bench.cancel(claim.id).await, CancelOutcome::Requested);
    assert_eq!(worker.told().await, claim);
    (worker, claim)
}

pub(super) async fn a_ready_task_ends(bench: Bench) {
    let id = bench.add(send()).await;
    bench.clock.advance(secs(1));
    assert_eq!(bench.cancel(id).await, CancelOutcome::Cancelled);
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.finished_at, kept.fence), (TaskState::Cancelled, Some(bench.now()), 0));
    let mut worker = bench.worker().await;
    worker.free(1);
    worker.quiet().await;
}

pub(super) async fn a_delayed_task_ends_and_never_comes(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(1);
    let id = bench.add(NewTask { delay: secs(5), ..send() }).await;
    assert_eq!(bench.cancel(id).await, CancelOutcome::Cancelled);
    bench.clock.advance(secs(10));
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Cancelled);
}

pub(super) async fn a_task_that_waits_to_retry_ends(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, retry(secs(5))).await;
    assert_eq!(bench.cancel(id).await, CancelOutcome::Cancelled);
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.failures), (TaskState::Cancelled, 1));
}

pub(super) async fn a_parked_task_ends(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, undecodable()).await;
    assert_eq!(bench.cancel(id).await, CancelOutcome::Cancelled);
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.parked), (TaskState::Cancelled, None));
    bench.worker().await;
    assert_eq!(bench.state(id).await, TaskState::Cancelled, "nobody resumes it");
}

pub(super) async fn a_running_task_is_told(bench: Bench) {
    let (worker, claim) = told(&bench, send()).await;
    let kept = bench.task(claim.id).await;
    assert_eq!((kept.state, kept.cancel_requested, kept.worker), (TaskState::Running, true, Some(worker.id)));
    assert_eq!(kept.finished_at, None);
}

pub(super) async fn a_running_task_is_told_by_each_beat(bench: Bench) {
    let (mut worker, claim) = told(&bench, send()).await;
    bench.add(send()).await;
    let other = worker.claim().await.claim;
    for _ in 0..2 {
        assert_eq!(worker.beat().await, Beat::Alive(vec![claim]));
    }
    bench.cancel(other.id).await;
    let Beat::Alive(claims) = worker.beat().await else { panic!("the worker is listed") };
    assert_eq!(claims.into_iter().collect::<HashSet<_>>(), HashSet::from([claim, other]));
    worker.finish(claim, cancelled(Follow::default())).await;
    assert_eq!(worker.beat().await, Beat::Alive(vec![other]));
}

pub(super) async fn only_its_own_worker_is_told(bench: Bench) {
    let mut other = bench.worker().await;
    bench.add(task("ship")).await;
    other.claim().await;
    told(&bench, send()).await;
    other.quiet().await;
}

pub(super) async fn a_running_task_may_be_told_twice(bench: Bench) {
    let (_worker, claim) = told(&bench, send()).await;
    assert_eq!(bench.cancel(claim.id).await, CancelOutcome::Requested);
}

pub(super) async fn a_task_that_ended_is_left_alone(bench: Bench) {
    let mut worker = bench.worker().await;
    let ends: [(Verdict, TaskState); 3] = [
        (ok(), TaskState::Succeeded),
        (failed(Follow::default()), TaskState::Failed),
        (cancelled(Follow::default()), TaskState::Cancelled),
    ];
    for (verdict, state) in ends {
        let id = bench.add(send()).await;
        let claim = worker.claim().await.claim;
        worker.finish(claim, verdict).await;
        let before = bench.task(id).await;
        assert_eq!(bench.cancel(id).await, CancelOutcome::AlreadyFinished);
        assert_eq!((bench.task(id).await, before.state), (before, state));
    }
}

pub(super) async fn a_cancelled_task_is_cancelled_once(bench: Bench) {
    let id = bench.add(send()).await;
    assert_eq!(bench.cancel(id).await, CancelOutcome::Cancelled);
    assert_eq!(bench.cancel(id).await, CancelOutcome::AlreadyFinished);
}

pub(super) async fn what_is_not_there_is_not_found(bench: Bench) {
    assert_eq!(bench.cancel(TaskId::new()).await, CancelOutcome::NotFound);
    assert_eq!(bench.cancel(RunId::new()).await, CancelOutcome::NotFound);
}

pub(super) async fn each_id_has_its_answer(bench: Bench) {
    let ready = bench.add(send()).await;
    let run = bench.start(flow()).await;
    let absent = TaskId::new();
    let ids: Vec<WorkId> = vec![absent.into(), ready.into(), run.into()];
    let answers = bench.store.cancel(Selection::Ids(ids)).await.unwrap();
    let expected = [
        (absent.into(), CancelOutcome::NotFound),
        (ready.into(), CancelOutcome::Cancelled),
        (run.into(), CancelOutcome::Cancelled),
    ];
    assert_eq!(answers, expected);
    assert_eq!(bench.store.cancel(Selection::Ids(Vec::new())).await, Ok(Vec::new()));
}

pub(super) async fn a_task_that_was_told_may_still_succeed(bench: Bench) {
    let (mut worker, claim) = told(&bench, send()).await;
    let next = task("ship");
    let next_id = next.id;
    assert_eq!(worker.finish(claim, succeeded(then([next]))).await, Settled::Committed);
    assert_eq!(bench.state(claim.id).await, TaskState::Succeeded);
    assert_eq!(bench.state(next_id).await, TaskState::Ready);
}

pub(super) async fn a_task_that_was_told_may_end_as_cancelled(bench: Bench) {
    let (mut worker, claim) = told(&bench, send()).await;
    let next = task("ship");
    let next_id = next.id;
    worker.finish(claim, cancelled(then([next]))).await;
    assert_eq!(bench.state(claim.id).await, TaskState::Cancelled);
    assert_eq!(bench.state(next_id).await, TaskState::Ready);
}

pub(super) async fn a_task_that_was_told_is_not_put_back(bench: Bench) {
    let puts_back =
        [(retry(secs(5)), (1, 0)), (snoozed(secs(5)), (0, 1)), (Verdict::Interrupted, (0, 1)), (undecodable(), (0, 0))];
    for (verdict, counts) in puts_back {
        let (mut worker, claim) = told(&bench, send()).await;
        assert_eq!(worker.finish(claim, verdict.clone()).await, Settled::Committed);
        let kept = bench.task(claim.id).await;
        assert_eq!(kept.state, TaskState::Cancelled, "{verdict:?}");
        assert_eq!((kept.failures, kept.interrupts, kept.parked), (counts.0, counts.1, None), "{verdict:?}");
    }
}

pub(super) async fn a_task_that_was_told_ends_with_its_worker(bench: Bench) {
    let (worker, claim) = told(&bench, send()).await;
    let peer = worker.peer().await;
    assert_eq!(bench.store.reclaim(vec![peer]).await.unwrap(), [claim.id]);
    let kept = bench.task(claim.id).await;
    assert_eq!((kept.state, kept.crashes), (TaskState::Cancelled, 1));

    let (worker, claim) = told(&bench, send()).await;
    worker.retire().await;
    let kept = bench.task(claim.id).await;
    assert_eq!((kept.state, kept.interrupts), (TaskState::Cancelled, 1));
}

pub(super) async fn a_routed_task_comes_to_a_worker_as_cancelled(bench: Bench) {
    let id = bench.add(routed()).await;
    assert_eq!(bench.cancel(id).await, CancelOutcome::Requested);
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.cancel_requested), (TaskState::Ready, true));
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    assert_eq!((claimed.claim.id, claimed.cancelled), (id, true));
    let next = task("ship");
    let next_id = next.id;
    worker.finish(claimed.claim, cancelled(then([next]))).await;
    assert_eq!(bench.state(id).await, TaskState::Cancelled);
    assert_eq!(bench.state(next_id).await, TaskState::Ready);
}

pub(super) async fn a_routed_task_that_was_delayed_comes_now(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(1);
    let id = bench.add(NewTask { delay: secs(3_600), ..routed() }).await;
    assert_eq!(bench.cancel(id).await, CancelOutcome::Requested);
    let claimed = worker.next().await;
    assert_eq!((claimed.claim.id, claimed.cancelled), (id, true));
}

pub(super) async fn a_routed_task_that_was_parked_comes_now(bench: Bench) {
    let id = bench.add(routed()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, undecodable()).await;
    assert_eq!(bench.cancel(id).await, CancelOutcome::Requested);
    let claimed = worker.next().await;
    assert_eq!((claimed.claim.id, claimed.claim.fence, claimed.cancelled), (id, 2, true));
    // What can't be read can't route its cancel: it waits for a binary that can, and does not spin.
    worker.finish_and_free(claimed.claim, undecodable()).await;
    worker.quiet().await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.cancel_requested), (TaskState::Parked, true));
    worker.detach().await;
    let mut newer = bench.worker().await;
    let claimed = newer.claim().await;
    assert_eq!((claimed.claim.id, claimed.cancelled), (id, true));
}

pub(super) async fn a_routed_task_may_be_asked_twice(bench: Bench) {
    let id = bench.add(routed()).await;
    assert_eq!(bench.cancel(id).await, CancelOutcome::Requested);
    assert_eq!(bench.cancel(id).await, CancelOutcome::Requested);
    let mut worker = bench.worker().await;
    assert!(worker.claim().await.cancelled);
    worker.free(1);
    worker.quiet().await;
}

pub(super) async fn a_routed_task_that_is_put_back_comes_again_as_cancelled(bench: Bench) {
    for verdict in [retry(secs(60)), snoozed(secs(60)), Verdict::Interrupted] {
        let (mut worker, claim) = told(&bench, routed()).await;
        worker.finish_and_free(claim, verdict).await;
        let claimed = worker.next().await;
        assert_eq!((claimed.claim.id, claimed.claim.fence, claimed.cancelled), (claim.id, 2, true));
        worker.finish(claimed.claim, cancelled(Follow::default())).await;
    }
}

pub(super) async fn a_routed_task_of_a_dead_worker_comes_again_as_cancelled(bench: Bench) {
    let (worker, claim) = told(&bench, routed()).await;
    bench.store.reclaim(vec![worker.peer().await]).await.unwrap();
    let mut other = bench.worker().await;
    let claimed = other.claim().await;
    assert_eq!((claimed.claim.id, claimed.crashes, claimed.cancelled), (claim.id, 1, true));
}

pub(super) async fn a_routed_task_that_nobody_knows_stays_parked_with_its_cancel(bench: Bench) {
    let id = bench.add(routed()).await;
    let mut worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Parked);
    assert_eq!(bench.cancel(id).await, CancelOutcome::Requested);
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Parked);
    let mut knower = bench.worker().await;
    let claimed = knower.claim().await;
    assert_eq!((claimed.claim.id, claimed.cancelled), (id, true));
}

async fn selected(bench: &Bench, selection: Selection) -> HashSet<(WorkId, CancelOutcome)> {
    let answers = bench.store.cancel(selection).await.unwrap();
    let count = answers.len();
    let set: HashSet<_> = answers.into_iter().collect();
    assert_eq!(set.len(), count, "each is answered once");
    set
}

fn of(correlation: &str) -> NewTask {
    NewTask { correlation: Some(correlation.to_owned()), ..send() }
}

pub(super) async fn all_that_belongs_together_is_cancelled(bench: Bench) {
    let mut worker = bench.worker().await;
    let ended = bench.add(of("c")).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, ok()).await;
    let running = bench.add(of("c")).await;
    worker.claim().await;
    let ready = bench.add(of("c")).await;
    let routed = bench.add(NewTask { cancel_routed: true, ..of("c") }).await;
    let other = bench.add(of("d")).await;
    let alone = bench.add(send()).await;
    let mut run = flow();
    run.correlation = Some("c".to_owned());
    run.first.correlation = Some("c".to_owned());
    let first = run.first.id;
    let run = bench.start(run).await;
    let answers = selected(&bench, Selection::Correlation("c".to_owned())).await;
    let expected = HashSet::from([
        (running.into(), CancelOutcome::Requested),
        (ready.into(), CancelOutcome::Cancelled),
        (routed.into(), CancelOutcome::Requested),
        (run.into(), CancelOutcome::Cancelled),
    ]);
    assert_eq!(answers, expected, "the run stands for its tasks, and what had ended is not listed");
    assert_eq!(bench.state(first).await, TaskState::Cancelled);
    assert_eq!(bench.state(ended).await, TaskState::Succeeded);
    assert_eq!(bench.state(other).await, TaskState::Ready);
    assert_eq!(bench.state(alone).await, TaskState::Ready);
}

pub(super) async fn all_of_a_name_is_cancelled(bench: Bench) {
    let one = bench.add(send()).await;
    let two = bench.add(NewTask { delay: secs(9), ..send() }).await;
    let other = bench.add(task("ship")).await;
    let mut run = flow();
    run.first.name = "charge".into();
    let run = bench.start(run).await;
    let answers = selected(&bench, Selection::Name("send".to_owned())).await;
    let expected = HashSet::from([(one.into(), CancelOutcome::Cancelled), (two.into(), CancelOutcome::Cancelled)]);
    assert_eq!(answers, expected);
    assert_eq!(bench.state(other).await, TaskState::Ready);
    let answers = selected(&bench, Selection::Name("flow".to_owned())).await;
    assert_eq!(answers, HashSet::from([(run.into(), CancelOutcome::Cancelled)]));
    assert!(selected(&bench, Selection::Name("send".to_owned())).await.is_empty(), "nothing of it is live");
}

pub(super) async fn a_selection_of_nothing_answers_nothing(bench: Bench) {
    bench.add(send()).await;
    assert!(selected(&bench, Selection::Name("ship".to_owned())).await.is_empty());
    assert!(selected(&bench, Selection::Correlation("send".to_owned())).await.is_empty());
    assert!(selected(&bench, Selection::Correlation(String::new())).await.is_empty());
    assert!(selected(&bench, Selection::Name("%".to_owned())).await.is_empty());
}

pub(super) async fn a_step_that_is_selected_without_its_run_fails_it(bench: Bench) {
    let mut run = flow();
    run.first.correlation = Some("c".to_owned());
    let first = run.first.id;
    let run = bench.start(run).await;
    let answers = selected(&bench, Selection::Correlation("c".to_owned())).await;
    assert_eq!(answers, HashSet::from([(first.into(), CancelOutcome::Cancelled)]));
    let ended = bench.run(run).await;
    assert_eq!(ended.failure.unwrap().kind, FailureKind::Cancelled);
}
