//! Steps that may run a number of times.

use crate::failure::FailureKind;
use crate::id::RunId;
use crate::store::{Follow, NewRun, NewTask, NewWork, RunState, TaskState};

use super::bench::{Bench, failed, flow, ok, send, step, succeeded, then};
use super::parts::{begun, each, easy, fanned_out, for_each, inner, led_to, payload, undone_by};

/// One that may run so often.
fn at_most(limit: u32, run: RunId, name: &'static str) -> NewTask {
    NewTask { visits: Some(limit), ..step(run, name) }
}

pub(super) async fn a_step_may_run_up_to_its_limit(bench: Bench) {
    let (run, mut worker) = led_to(&bench, easy(), |run| then([at_most(3, run, "two")])).await;
    for _ in 0..2 {
        let claim = worker.claim().await.claim;
        worker.finish(claim, succeeded(then([at_most(3, run, "two")]))).await;
        assert_eq!(bench.run_state(run).await, RunState::Running);
    }
    let claim = worker.claim().await.claim;
    worker.finish(claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn one_more_fails_the_run(bench: Bench) {
    let (run, mut worker) = led_to(&bench, easy(), |run| then([at_most(2, run, "two")])).await;
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, succeeded(then([at_most(2, run, "two")]))).await;
    let claim = worker.next().await.claim;
    let again = at_most(2, run, "two");
    let id = again.id;
    worker.finish(claim, succeeded(then([again]))).await;
    assert_eq!(bench.find(id).await, None, "it is not added");
    assert_eq!(bench.state(claim.id).await, TaskState::Succeeded);
    let ended = bench.run(run).await;
    let failure = ended.failure.expect("it says why");
    assert_eq!((ended.state, ended.open_tasks), (RunState::Failed, 0));
    assert_eq!((failure.task.as_str(), failure.id, failure.kind), ("two", run.uuid(), FailureKind::Declared));
    assert_eq!(failure.message, "the step `two` has run 2 times, its limit");
}

pub(super) async fn every_task_of_the_step_counts_however_it_ended(bench: Bench) {
    let run = easy();
    let steps = (0..4).map(|_| step(run.id, "two")).collect();
    let (run, mut worker) = fanned_out(&bench, run, steps).await;
    worker.free(3);
    let claimed = worker.take(3).await;
    worker.finish(claimed[0].claim, failed(Follow::default())).await;
    worker.finish(claimed[1].claim, super::bench::cancelled(Follow::default())).await;
    // One failed, one was cancelled, one ends now, and one has not started.
    worker.finish(claimed[2].claim, succeeded(then([at_most(4, run, "two")]))).await;
    assert!(bench.run(run).await.failure.unwrap().message.contains("4 times"));
}

pub(super) async fn another_step_or_run_does_not_count(bench: Bench) {
    let (other, mut worker, claim) = begun(&bench, easy()).await;
    let (run, mut second, limited) = begun(&bench, easy()).await;
    worker.finish(claim, succeeded(then([step(other, "two")]))).await;
    second.finish(limited, succeeded(then([step(run, "three"), at_most(1, run, "two")]))).await;
    assert_eq!((bench.run(run).await.open_tasks, bench.run(other).await.open_tasks), (2, 1));
    worker.free(3);
    for claimed in worker.take(3).await {
        worker.finish(claimed.claim, ok()).await;
    }
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    assert_eq!(bench.run_state(other).await, RunState::Succeeded);
}

pub(super) async fn work_that_is_there_is_no_visit(bench: Bench) {
    let run = easy();
    let two = at_most(1, run.id, "two");
    let (run, mut worker) = fanned_out(&bench, run, vec![two.clone(), step(run_of(&two), "three")]).await;
    worker.free(2);
    let claimed = worker.take(2).await;
    worker.finish(claimed[1].claim, succeeded(then([two]))).await;
    assert_eq!(bench.run_state(run).await, RunState::Running, "it is the same task");
    worker.finish(claimed[0].claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

fn run_of(task: &NewTask) -> RunId {
    task.of.as_ref().expect("it is a step").run
}

pub(super) async fn what_undoes_a_step_is_no_visit(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let next = undone_by(run, "1", then([at_most(1, run, "undo")]));
    worker.finish(claim, succeeded(next)).await;
    assert_eq!((bench.run_state(run).await, bench.run(run).await.open_tasks), (RunState::Running, 1));
}

pub(super) async fn a_run_that_ran_too_often_is_undone(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let work = then([send(), at_most(1, run, "one")]);
    worker.finish(claim, succeeded(undone_by(run, "1", work))).await;
    assert_eq!(bench.run_state(run).await, RunState::Compensating);
    worker.free(2);
    let claimed = worker.take(2).await;
    let undo = claimed.iter().find(|one| one.of.is_some()).expect("the step is undone");
    assert_eq!(payload(undo), "1");
    worker.finish(undo.claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn a_run_that_is_a_step_counts_too(bench: Bench) {
    let (outer, mut worker, claim) = begun(&bench, easy()).await;
    let of_one = |outer| {
        let run = inner(outer);
        NewRun { step: run.step.map(|step| NewTask { visits: Some(1), ..step }), ..run }
    };
    let first = of_one(outer);
    let (first_id, second) = (first.id, of_one(outer));
    let (second_id, second_step) = (second.id, second.step.as_ref().unwrap().id);
    let work = vec![NewWork::Run(Box::new(first)), NewWork::Run(Box::new(second))];
    worker.finish(claim, succeeded(Follow { work, ..Follow::default() })).await;
    assert_eq!(bench.store.run(second_id).await.unwrap(), None, "neither the run");
    assert_eq!(bench.find(second_step).await, None, "nor its step");
    let failure = bench.run(outer).await.failure.expect("it says why");
    assert_eq!(failure.message, "the step `inner` has run 1 times, its limit");
    assert_eq!(bench.run_state(outer).await, RunState::Failed);
    if let Some(first) = bench.store.run(first_id).await.unwrap() {
        assert_eq!(first.state, RunState::Cancelled);
    }
}

pub(super) async fn items_are_visits_too(bench: Bench) {
    let limited = |run, items| {
        let mut group = each(run, "two", items, None);
        group.tasks.iter_mut().for_each(|task| task.visits = Some(3));
        for_each(group)
    };
    let (run, mut worker) = led_to(&bench, flow(), |run| limited(run, 3)).await;
    assert_eq!(bench.run(run).await.open_tasks, 3);
    let claim = worker.claim().await.claim;
    worker.finish(claim, succeeded(limited(run, 1))).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.failure.unwrap().message.contains("3 times")), (RunState::Failed, true));
}

pub(super) async fn a_limit_of_a_task_that_is_no_step_means_nothing(bench: Bench) {
    bench.add(NewTask { visits: Some(1), ..send() }).await;
    bench.add(NewTask { visits: Some(0), ..send() }).await;
    let run = easy();
    let first = NewTask { visits: Some(0), ..run.first.clone() };
    let run = bench.start(NewRun { first, ..run }).await;
    assert_eq!(bench.run_state(run).await, RunState::Running, "the first task of a run is always added");
}

pub(super) async fn a_joined_task_is_a_visit(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let mut one = super::parts::join(run, &["one"]);
    one.then = at_most(1, run, "gather");
    worker.finish_and_free(claim, succeeded(one.at(0))).await;
    let claim = worker.next().await.claim;
    one.then = at_most(1, run, "gather");
    worker.finish(claim, succeeded(one.at(0))).await;
    assert_eq!(bench.find(one.then.id).await, None);
    let ended = bench.run(run).await;
    assert_eq!(ended.state, RunState::Failed);
    assert_eq!(ended.failure.unwrap().message, "the step `gather` has run 1 times, its limit");
}

pub(super) async fn a_limit_of_what_undoes_a_step_means_nothing(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let undo = NewTask { visits: Some(0), ..super::parts::undo(run, "1") };
    worker.finish(claim, succeeded(Follow { undo: Some(undo), ..then([step(run, "two")]) })).await;
    assert_eq!(bench.run_state(run).await, RunState::Running);
    assert_eq!(super::undo::in_waiting(&bench, run).await.len(), 1);
}
