//! Runs within runs within runs, and how what they did is undone.

use crate::id::{RunId, TaskId};
use crate::store::{CancelOutcome, Follow, NewRun, NewTask, RunState, TaskFilter, TaskState, Wait};

use super::bench::{Bench, cancelled, done, failed, fails, flow, ok, secs, step, succeeded, then};
use super::parts::{begun, easy, inner, runs, step_id, undone_by};
use super::subruns::{Nested, end_of, nested};
use super::undo::{in_waiting, undone};
use super::worker::TestWorker;

/// Runs within runs, the outermost first, with the steps that wait for them.
struct Deep {
    runs: Vec<RunId>,
    steps: Vec<TaskId>,
    worker: TestWorker,
    claim: crate::store::Claim,
}

/// So many runs, each a step of the one before, each with an undo of its first step, by its place from 0. A worker
/// has the first step of the innermost.
async fn deep(bench: &Bench, levels: usize) -> Deep {
    let (run, mut worker, mut claim) = begun(bench, easy()).await;
    let (mut ids, mut steps) = (vec![run], Vec::new());
    for level in 1..levels {
        let sub = inner(ids[level - 1]);
        ids.push(sub.id);
        steps.push(step_id(&sub));
        let next = undone_by(ids[level - 1], &(level - 1).to_string(), runs(sub));
        worker.finish_and_free(claim, succeeded(next)).await;
        claim = worker.next().await.claim;
    }
    Deep { runs: ids, steps, worker, claim }
}

pub(super) async fn three_deep_end_from_the_inside(bench: Bench) {
    let Deep { runs, steps, mut worker, claim } = deep(&bench, 3).await;
    worker.finish_and_free(claim, succeeded(done("0"))).await;
    for level in [1, 0] {
        let claimed = worker.next().await;
        assert_eq!((claimed.claim.id, end_of(&claimed).0), (steps[level], runs[level + 1]));
        assert_eq!(bench.run_state(runs[level]).await, RunState::Running);
        worker.finish_and_free(claimed.claim, succeeded(done(&level.to_string()))).await;
        assert_eq!(bench.run_state(runs[level]).await, RunState::Succeeded);
    }
    assert!(bench.all_tasks().await.iter().all(|task| task.state == TaskState::Succeeded), "nothing is left to undo");
}

pub(super) async fn three_deep_are_cancelled_from_the_outside(bench: Bench) {
    let Deep { runs, steps, mut worker, claim } = deep(&bench, 3).await;
    assert_eq!(bench.cancel(runs[0]).await, CancelOutcome::Requested);
    assert_eq!(worker.told().await, claim);
    for &run in &runs {
        assert_eq!(bench.run_state(run).await, RunState::Cancelling);
    }
    worker.finish(claim, cancelled(Follow::default())).await;
    // Each undoes what it did, the innermost first.
    assert_eq!(bench.run_state(runs[2]).await, RunState::Cancelled);
    assert_eq!(bench.state(steps[1]).await, TaskState::Cancelled);
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(
        (bench.run_state(runs[1]).await, bench.state(steps[0]).await),
        (RunState::Cancelled, TaskState::Cancelled)
    );
    assert_eq!(bench.run_state(runs[0]).await, RunState::Cancelling);
    assert_eq!(undone(&mut worker, 1).await, ["0"]);
    assert_eq!(bench.run_state(runs[0]).await, RunState::Cancelled);
}

pub(super) async fn three_deep_are_cancelled_from_the_middle(bench: Bench) {
    let Deep { runs, mut worker, claim, .. } = deep(&bench, 3).await;
    assert_eq!(bench.cancel(runs[1]).await, CancelOutcome::Requested);
    worker.finish(claim, cancelled(Follow::default())).await;
    worker.told().await;
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(runs[1]).await, RunState::Cancelled);
    assert_eq!(bench.run_state(runs[0]).await, RunState::Running);
    let claimed = worker.claim().await;
    assert_eq!((end_of(&claimed).0, end_of(&claimed).1), (runs[1], RunState::Cancelled));
}

pub(super) async fn three_deep_a_failure_goes_up_as_an_end(bench: Bench) {
    let Deep { runs, mut worker, claim, .. } = deep(&bench, 3).await;
    worker.finish(claim, failed(fails("deep"))).await;
    let claimed = worker.claim().await;
    assert_eq!(end_of(&claimed), (runs[2], RunState::Failed, None, Some("deep".to_owned())));
    worker.finish(claimed.claim, failed(fails("middle"))).await;
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    let claimed = worker.claim().await;
    assert_eq!(end_of(&claimed), (runs[1], RunState::Failed, None, Some("middle".to_owned())));
    worker.finish(claimed.claim, ok()).await;
    assert_eq!(bench.run_state(runs[0]).await, RunState::Succeeded);
}

pub(super) async fn hundreds_deep_are_cancelled_in_one_call(bench: Bench) {
    const LEVELS: usize = 200;
    let (first, mut worker, mut claim) = begun(&bench, easy()).await;
    let mut ids = vec![first];
    for level in 1..LEVELS {
        let sub = inner(ids[level - 1]);
        let last = level + 1 == LEVELS;
        let delay = if last { secs(60) } else { secs(0) };
        let sub = NewRun { first: NewTask { delay, ..sub.first }, ..sub };
        ids.push(sub.id);
        worker.finish(claim, succeeded(runs(sub))).await;
        if !last {
            claim = worker.claim().await.claim;
        }
    }
    assert_eq!(bench.cancel(first).await, CancelOutcome::Cancelled);
    for id in ids {
        let ended = bench.run(id).await;
        assert_eq!((ended.state, ended.open_tasks), (RunState::Cancelled, 0));
    }
    assert!(bench.all_tasks().await.iter().all(|task| task.state.is_terminal()));
}

pub(super) async fn the_outer_run_undoes_what_a_completed_inner_did(bench: Bench) {
    let (outer, mut worker, claim) = begun(&bench, flow()).await;
    let sub = inner(outer);
    let (id, waits) = (sub.id, step_id(&sub));
    worker.finish_and_free(claim, succeeded(undone_by(outer, "\"before\"", runs(sub)))).await;
    let claim = worker.next().await.claim;
    worker.finish_and_free(claim, succeeded(undone_by(id, "\"first\"", then([step(id, "two")])))).await;
    let claim = worker.next().await.claim;
    let undos = in_waiting(&bench, id).await;
    worker.finish_and_free(claim, succeeded(undone_by(id, "\"second\"", done("1")))).await;
    assert_eq!(bench.run_state(id).await, RunState::Succeeded);
    assert_eq!(in_waiting(&bench, id).await, []);
    let moved = bench.task(undos[0]).await;
    assert_eq!((moved.run, moved.wait, moved.step.as_deref()), (Some(outer), Some(Wait::Undo), Some("undo")));
    assert_eq!(in_waiting(&bench, outer).await.len(), 3);
    assert_eq!(bench.run(outer).await.open_tasks, 1);
    let claimed = worker.next().await;
    assert_eq!(claimed.claim.id, waits);
    let next = undone_by(outer, "\"after\"", then([step(outer, "three")]));
    worker.finish_and_free(claimed.claim, succeeded(next)).await;
    let claim = worker.next().await.claim;
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!(undone(&mut worker, 4).await, ["\"after\"", "\"second\"", "\"first\"", "\"before\""]);
    assert_eq!((bench.run_state(outer).await, bench.run_state(id).await), (RunState::Failed, RunState::Succeeded));
}

pub(super) async fn what_was_moved_is_claimed_as_a_step_of_its_workflow(bench: Bench) {
    let other = |run: NewRun| NewRun { workflow: "other".into(), ..run };
    let known = super::bench::everything();
    let (outer, mut worker, claim) = begun(&bench, flow()).await;
    let sub = other(inner(outer));
    let id = sub.id;
    let of =
        |step: &'static str| Some(crate::store::StepOf { run: id, workflow: "other".into(), step: Some(step.into()) });
    let sub = NewRun { first: NewTask { of: of("one"), ..sub.first }, ..sub };
    worker.finish(claim, succeeded(runs(sub))).await;
    let mut steps = known.steps.clone();
    steps.insert("other".to_owned(), known.steps["flow"].clone());
    let mut second = bench.worker_knowing(crate::store::Known { steps, ..known }).await;
    let claim = second.claim().await.claim;
    let undo = NewTask { of: of("undo"), ..super::parts::undo(id, "1") };
    second.finish(claim, succeeded(Follow { undo: Some(undo), ..done("1") })).await;
    let claim = second.claim().await.claim;
    second.finish(claim, failed(fails("no"))).await;
    let of = second.claim().await.of.expect("it is of a run");
    assert_eq!((of.run, &*of.workflow, of.step.as_deref()), (outer, "other", Some("undo")));
}

pub(super) async fn three_deep_undos_move_to_the_outermost(bench: Bench) {
    let Deep { runs, mut worker, claim, .. } = deep(&bench, 3).await;
    worker.finish_and_free(claim, succeeded(undone_by(runs[2], "2", done("0")))).await;
    let claim = worker.next().await.claim;
    assert_eq!((in_waiting(&bench, runs[1]).await.len(), in_waiting(&bench, runs[0]).await.len()), (2, 1));
    worker.finish_and_free(claim, succeeded(done("0"))).await;
    let claim = worker.next().await.claim;
    assert_eq!((in_waiting(&bench, runs[1]).await.len(), in_waiting(&bench, runs[0]).await.len()), (0, 3));
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!(undone(&mut worker, 3).await, ["2", "1", "0"]);
    assert_eq!(bench.run_state(runs[0]).await, RunState::Failed);
    assert_eq!(bench.run_state(runs[2]).await, RunState::Succeeded);
}

pub(super) async fn what_moved_goes_when_the_outer_run_succeeds(bench: Bench) {
    let Deep { runs, mut worker, claim, .. } = deep(&bench, 2).await;
    worker.finish_and_free(claim, succeeded(undone_by(runs[1], "1", done("0")))).await;
    let claim = worker.next().await.claim;
    assert_eq!(in_waiting(&bench, runs[0]).await.len(), 2);
    worker.finish(claim, succeeded(done("0"))).await;
    assert_eq!(bench.run_state(runs[0]).await, RunState::Succeeded);
    assert!(bench.all_tasks().await.iter().all(|task| !task.is_undo));
}

pub(super) async fn a_failed_inner_run_undoes_itself(bench: Bench) {
    let Nested { outer, inner, mut worker, claim, step: waits } = nested(&bench, easy(), |run| run).await;
    worker.finish_and_free(claim, succeeded(undone_by(inner, "1", then([step(inner, "two")])))).await;
    let claim = worker.next().await.claim;
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!(bench.task(waits).await.wait, Some(Wait::Run), "its step waits until it is undone");
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(in_waiting(&bench, outer).await, []);
    let claimed = worker.claim().await;
    assert_eq!(end_of(&claimed).1, RunState::Failed);
    worker.finish(claimed.claim, ok()).await;
    assert_eq!(bench.run_state(outer).await, RunState::Succeeded);
}

pub(super) async fn an_inner_run_that_is_stuck_is_resumed_on_its_own(bench: Bench) {
    let Nested { outer, inner, mut worker, claim, step: waits } = nested(&bench, easy(), |run| run).await;
    worker.finish(claim, succeeded(undone_by(inner, "1", fails("first")))).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, failed(Follow::default())).await;
    let claimed = worker.claim().await;
    assert_eq!((claimed.claim.id, end_of(&claimed).1), (waits, RunState::Failed));
    assert!(bench.resume_undo(inner).await);
    assert_eq!(bench.state(waits).await, TaskState::Running, "its step has got its end, once");
    worker.finish(claimed.claim, ok()).await;
    assert_eq!(bench.run_state(outer).await, RunState::Succeeded);
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(inner).await, RunState::Failed);
    let kept = bench.task(waits).await;
    assert_eq!((kept.state, kept.fence), (TaskState::Succeeded, 1));
}

pub(super) async fn a_cancel_waits_for_an_inner_run_that_is_undone(bench: Bench) {
    let Nested { outer, inner, mut worker, claim, step: waits } = nested(&bench, easy(), |run| run).await;
    worker.finish(claim, succeeded(undone_by(inner, "1", fails("first")))).await;
    assert_eq!(bench.run_state(inner).await, RunState::Compensating);
    assert_eq!(bench.cancel(outer).await, CancelOutcome::Requested);
    assert_eq!(bench.run_state(inner).await, RunState::Compensating, "it fails on its own");
    assert_eq!(bench.task(waits).await.wait, Some(Wait::Run));
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!((bench.run_state(inner).await, bench.state(waits).await), (RunState::Failed, TaskState::Cancelled));
    assert_eq!(bench.run_state(outer).await, RunState::Cancelled);
}

pub(super) async fn a_step_and_its_undo_key_go_with_the_run(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let undo = NewTask { key: Some("k".to_owned()), ..super::parts::undo(run, "1") };
    worker.finish(claim, succeeded(Follow { undo: Some(undo), ..done("1") })).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    let again = bench.add(NewTask { key: Some("k".to_owned()), ..super::bench::send() }).await;
    let listed = bench.store.tasks(TaskFilter::new().state(TaskState::Ready)).await.unwrap();
    assert_eq!(listed.iter().map(|task| task.id).collect::<Vec<_>>(), [again], "its key is free");
}

pub(super) async fn what_the_last_step_of_a_run_did_is_undone_in_its_place(bench: Bench) {
    let Nested { outer, inner, mut worker, claim, .. } = nested(&bench, flow(), |run| run).await;
    // The step that ends the inner run is the first that can be undone.
    worker.finish_and_free(claim, succeeded(undone_by(inner, "1", done("0")))).await;
    let claim = worker.next().await.claim;
    worker.finish_and_free(claim, succeeded(undone_by(outer, "2", then([step(outer, "two")])))).await;
    let claim = worker.next().await.claim;
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!(undone(&mut worker, 2).await, ["2", "1"]);
    assert_eq!(bench.run_state(outer).await, RunState::Failed);
}

pub(super) async fn the_outer_run_goes_on_from_a_moved_undo_that_failed(bench: Bench) {
    let Nested { outer, inner, mut worker, claim, .. } = nested(&bench, flow(), |run| run).await;
    worker.finish_and_free(claim, succeeded(undone_by(inner, "1", done("0")))).await;
    let claim = worker.next().await.claim;
    worker.finish(claim, succeeded(undone_by(outer, "2", fails("first")))).await;
    assert_eq!(undone(&mut worker, 1).await, ["2"]);
    let claim = worker.claim().await.claim;
    worker.finish(claim, failed(Follow::default())).await;
    assert_eq!(bench.run(outer).await.failure.unwrap().message, "first");
    assert!(!bench.resume_undo(inner).await, "it is the outer run's now");
    assert!(bench.resume_undo(outer).await);
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!((bench.run_state(outer).await, bench.run_state(inner).await), (RunState::Failed, RunState::Succeeded));
}

pub(super) async fn what_was_moved_is_listed_by_when_it_came(bench: Bench) {
    let (outer, mut worker, claim) = begun(&bench, flow()).await;
    let sub = inner(outer);
    let (id, waits) = (sub.id, step_id(&sub));
    let two = step(outer, "two");
    let mut expected = vec![claim.id, two.id, waits];
    let mut next = then([two]);
    next.work.extend(runs(sub).work);
    worker.finish(claim, succeeded(next)).await;
    worker.free(2);
    let claimed = worker.take(2).await;
    worker.finish(claimed[1].claim, succeeded(undone_by(id, "1", then([step(id, "three")])))).await;
    expected.extend(in_waiting(&bench, id).await);
    let four = step(outer, "four");
    expected.push(four.id);
    worker.finish(claimed[0].claim, succeeded(then([four]))).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, succeeded(done("1"))).await;
    let listed = bench.store.tasks(TaskFilter::new().run(outer)).await.unwrap();
    assert_eq!(listed.iter().map(|task| task.id).collect::<Vec<_>>(), expected);
    let page = bench.store.tasks(TaskFilter::new().run(outer).after(expected[2]).limit(1)).await.unwrap();
    assert_eq!(page.iter().map(|task| task.id).collect::<Vec<_>>(), expected[3..4]);
    assert!(bench.store.tasks(TaskFilter::new().run(id)).await.unwrap().iter().all(|task| !task.is_undo));
}
