//! An undo that failed, and a compensation that goes on from there.

use crate::failure::FailureKind;
use crate::id::{RunId, TaskId};
use crate::store::{CancelOutcome, NewRun, RunState, SignalOutcome, TaskFilter, TaskState, Wait};

use super::bench::{Bench, cancelled, done, failed, fails, flow, ok, retry, secs, send, step, succeeded, then};
use super::parts::{begun, easy, payload, undone_by};
use super::undo::{in_waiting, undoable, undone};
use super::worker::TestWorker;

/// A run that failed, after so many steps, because the newest of them could not be undone.
async fn stuck(bench: &Bench, run: NewRun, steps: usize) -> (RunId, TaskId, TestWorker) {
    let (run, mut worker, claim) = undoable(bench, run, steps).await;
    worker.finish(claim, failed(fails("first"))).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, failed(super::bench::then([]))).await;
    (run, claim.id, worker)
}

pub(super) async fn an_undo_that_fails_fails_the_run_at_once(bench: Bench) {
    let (run, id, mut worker) = stuck(&bench, flow(), 3).await;
    worker.free(1);
    worker.quiet().await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks, ended.finished_at), (RunState::Failed, 0, Some(bench.now())));
    assert_eq!(ended.failure.unwrap().message, "first", "its own failure came first");
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.failures, kept.is_undo), (TaskState::Failed, 1, true));
    let waiting = in_waiting(&bench, run).await;
    assert_eq!(waiting.len(), 2, "the others are still to be seen");
    assert_eq!(bench.task(waiting[0]).await.payload, b"1");
    bench.store.ended(run.into()).await.unwrap();
}

pub(super) async fn a_cancelled_run_whose_undo_fails_has_failed(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    worker.finish(claim, succeeded(undone_by(run, "1", then([step(run, "two")])))).await;
    bench.cancel(run).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, failed(then([]))).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.failure.unwrap().message.as_str()), (RunState::Failed, "no"), "the undo's");
}

pub(super) async fn it_goes_on_from_the_one_that_failed(bench: Bench) {
    let (run, id, mut worker) = stuck(&bench, flow(), 3).await;
    bench.clock.advance(secs(9));
    assert!(bench.resume_undo(run).await);
    let kept = bench.run(run).await;
    assert_eq!((kept.state, kept.open_tasks, kept.finished_at), (RunState::Compensating, 1, None));
    assert_eq!(kept.failure.unwrap().message, "first");
    let again = bench.task(id).await;
    assert_eq!((again.state, again.wait, again.finished_at), (TaskState::Ready, None, None));
    assert_eq!((again.failures, again.fence, again.run_at), (1, 1, bench.now()), "its counters are kept");
    assert_eq!(again.failure.unwrap().message, "no", "and why it failed");
    let claimed = worker.claim().await;
    assert_eq!((claimed.claim.id, claimed.failures, payload(&claimed)), (id, 1, "3"));
    worker.finish(claimed.claim, ok()).await;
    assert_eq!(undone(&mut worker, 2).await, ["2", "1"]);
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.failure.unwrap().message.as_str()), (RunState::Failed, "first"));
    assert_eq!(ended.finished_at, Some(bench.now()));
}

pub(super) async fn it_may_fail_and_be_resumed_again(bench: Bench) {
    let (run, id, mut worker) = stuck(&bench, flow(), 2).await;
    assert!(bench.resume_undo(run).await);
    let claim = worker.claim().await.claim;
    worker.finish(claim, failed(then([]))).await;
    assert_eq!((bench.run_state(run).await, bench.task(id).await.failures), (RunState::Failed, 2));
    assert!(bench.resume_undo(run).await);
    assert_eq!(undone(&mut worker, 1).await, ["2"]);
    // Then another one fails.
    let claim = worker.claim().await.claim;
    worker.finish(claim, failed(then([]))).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert!(bench.resume_undo(run).await);
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert!(!bench.resume_undo(run).await);
}

pub(super) async fn it_is_resumed_once(bench: Bench) {
    let (run, id, mut worker) = stuck(&bench, flow(), 1).await;
    assert!(bench.resume_undo(run).await);
    assert!(!bench.resume_undo(run).await, "it goes on");
    let claimed = worker.claim().await;
    assert_eq!((claimed.claim.id, claimed.claim.fence), (id, 2));
    assert!(!bench.resume_undo(run).await);
    worker.finish(claimed.claim, ok()).await;
    assert!(!bench.resume_undo(run).await, "all is undone");
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn of_two_who_resume_at_once_one_does(bench: Bench) {
    for _ in 0..50 {
        let (run, _, mut worker) = stuck(&bench, flow(), 1).await;
        let store = bench.store.clone();
        let answers = super::bench::on_threads(2, move |_| {
            let reply = super::bench::asked(store.resume_undo(run));
            async { reply.await.unwrap() }
        })
        .await;
        assert_ne!(answers[0], answers[1]);
        assert_eq!(undone(&mut worker, 1).await, ["1"]);
        worker.retire().await;
    }
}

pub(super) async fn only_a_failed_run_with_a_failed_undo_is_resumed(bench: Bench) {
    assert!(!bench.resume_undo(RunId::new()).await);
    let (run, mut worker, claim) = undoable(&bench, flow(), 1).await;
    assert!(!bench.resume_undo(run).await, "it runs");
    bench.pause(run).await;
    assert!(!bench.resume_undo(run).await, "it is held");
    bench.resume(run).await;
    worker.finish(claim, succeeded(done("1"))).await;
    assert!(!bench.resume_undo(run).await, "it succeeded");
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish(claim, failed(fails("no"))).await;
    assert!(!bench.resume_undo(run).await, "nothing was to be undone");
    let (run, mut worker, claim) = undoable(&bench, flow(), 1).await;
    worker.finish(claim, failed(fails("no"))).await;
    assert!(!bench.resume_undo(run).await, "it is being undone");
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert!(!bench.resume_undo(run).await, "it was undone");
    let run = bench.start(flow()).await;
    bench.cancel(run).await;
    assert!(!bench.resume_undo(run).await, "it was cancelled");
}

pub(super) async fn a_cancelled_run_that_is_resumed_fails(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, flow(), 2).await;
    bench.cancel(run).await;
    worker.finish(claim, cancelled(then([]))).await;
    worker.told().await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, failed(then([]))).await;
    assert!(bench.resume_undo(run).await);
    assert_eq!(bench.run_state(run).await, RunState::Compensating);
    assert_eq!(undone(&mut worker, 2).await, ["2", "1"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn an_undo_that_is_cancelled_counts_as_failed(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, flow(), 2).await;
    worker.finish(claim, failed(fails("first"))).await;
    let list = TaskFilter::new().run(run).state(TaskState::Ready);
    let ready = bench.store.tasks(list).await.unwrap()[0].id;
    assert_eq!(bench.cancel(ready).await, CancelOutcome::Cancelled);
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.failure.unwrap().message.as_str()), (RunState::Failed, "first"));
    assert_eq!((bench.state(ready).await, in_waiting(&bench, run).await.len()), (TaskState::Cancelled, 1));
    assert!(bench.resume_undo(run).await);
    let again = bench.task(ready).await;
    assert_eq!((again.state, again.cancel_requested, again.finished_at), (TaskState::Ready, false, None));
    assert_eq!(undone(&mut worker, 2).await, ["2", "1"]);
}

pub(super) async fn a_running_undo_that_is_cancelled_counts_as_failed(bench: Bench) {
    for put_back in [false, true] {
        let (run, mut worker, claim) = undoable(&bench, easy(), 2).await;
        bench.cancel(run).await;
        worker.finish(claim, cancelled(then([]))).await;
        worker.told().await;
        let claim = worker.claim().await.claim;
        assert_eq!(bench.cancel(claim.id).await, CancelOutcome::Requested);
        assert_eq!(worker.told().await, claim);
        worker.finish(claim, if put_back { retry(secs(0)) } else { cancelled(then([])) }).await;
        let ended = bench.run(run).await;
        assert_eq!((ended.state, ended.failure.unwrap().kind), (RunState::Failed, FailureKind::Cancelled));
        assert_eq!(bench.state(claim.id).await, TaskState::Cancelled);
        assert!(bench.resume_undo(run).await);
        assert_eq!(undone(&mut worker, 2).await, ["2", "1"]);
        worker.retire().await;
    }
}

pub(super) async fn a_running_undo_that_is_told_may_still_succeed(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, flow(), 2).await;
    worker.finish(claim, failed(fails("first"))).await;
    let claim = worker.claim().await.claim;
    bench.cancel(claim.id).await;
    assert_eq!(worker.told().await, claim);
    worker.finish(claim, ok()).await;
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn its_end_task_is_not_doubled(bench: Bench) {
    let (run, _, mut worker) = stuck(&bench, NewRun { end_routed: true, ..flow() }, 1).await;
    let ends = || TaskFilter { name: Some("flow".to_owned()), ..TaskFilter::default() };
    assert_eq!(bench.store.tasks(ends()).await.unwrap().len(), 1);
    let end = worker.claim().await;
    assert_eq!(end.of, None);
    worker.finish(end.claim, ok()).await;
    assert!(bench.resume_undo(run).await);
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    worker.free(1);
    worker.quiet().await;
    let listed = bench.store.tasks(ends()).await.unwrap();
    assert_eq!((listed.len(), listed[0].state), (1, TaskState::Succeeded));
}

pub(super) async fn a_resumed_run_ends_for_those_who_wait(bench: Bench) {
    let (run, id, mut worker) = stuck(&bench, flow(), 1).await;
    assert!(bench.resume_undo(run).await);
    let (of_run, of_task) = (bench.store.ended(run.into()), bench.store.ended(id.into()));
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    of_run.await.unwrap();
    of_task.await.unwrap();
    assert_eq!(bench.state(id).await, TaskState::Succeeded);
}

pub(super) async fn a_resumed_undo_comes_to_who_waits(bench: Bench) {
    let (run, id, mut worker) = stuck(&bench, flow(), 1).await;
    worker.free(2);
    worker.quiet().await;
    assert!(bench.resume_undo(run).await);
    let claimed = worker.next().await;
    assert_eq!(claimed.claim.id, id);
    worker.finish(claimed.claim, ok()).await;
    bench.add(send()).await;
    assert_eq!(worker.next().await.of, None);
}

pub(super) async fn one_that_waits_in_a_failed_run_can_be_cancelled(bench: Bench) {
    let (run, _, mut worker) = stuck(&bench, flow(), 3).await;
    let waiting = in_waiting(&bench, run).await;
    assert_eq!(bench.cancel(waiting[0]).await, CancelOutcome::Cancelled);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert_eq!(bench.cancel(run).await, CancelOutcome::AlreadyFinished);
    assert_eq!(bench.task(waiting[1]).await.wait, Some(Wait::Undo), "a cancel of its run does not reach it");
    assert!(bench.resume_undo(run).await);
    assert_eq!(undone(&mut worker, 2).await, ["3", "2"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn signals_of_before_are_gone(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, flow(), 1).await;
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Kept);
    worker.finish(claim, failed(fails("first"))).await;
    let claim = worker.claim().await.claim;
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Repeated);
    worker.finish(claim, failed(then([]))).await;
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Ended);
    assert!(bench.resume_undo(run).await);
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Kept, "they ended with it");
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
}
