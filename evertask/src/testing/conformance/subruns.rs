//! Runs that are steps of other runs: their ends, and their cancels.

use crate::failure::FailureKind;
use crate::id::{RunId, TaskId};
use crate::store::{
    CancelOutcome, Claim, Claimed, Follow, Got, NewRun, NewTask, NewWork, RunState, StoreError, TaskFilter, TaskState,
    Wait,
};
use crate::workflow::end::EndPayload;

use super::bench::{Bench, cancelled, done, failed, fails, flow, ok, secs, send, snoozed, step, succeeded, then};
use super::parts::{begun, easy, inner, led_to, runs, step_id};
use super::worker::TestWorker;

/// A run that waits for another, which is a step of it, and whose first step a worker has.
pub(super) struct Nested {
    pub(super) outer: RunId,
    pub(super) step: TaskId,
    pub(super) inner: RunId,
    pub(super) worker: TestWorker,
    pub(super) claim: Claim,
}

pub(super) async fn nested(bench: &Bench, outer: NewRun, change: impl FnOnce(NewRun) -> NewRun) -> Nested {
    let sub = change(inner(outer.id));
    let (step, inner) = (step_id(&sub), sub.id);
    let (outer, mut worker) = led_to(bench, outer, |_| runs(sub)).await;
    let claimed = worker.claim().await;
    assert_eq!(claimed.of.as_ref().map(|of| of.run), Some(inner));
    Nested { outer, step, inner, worker, claim: claimed.claim }
}

/// The end of a run, as its step gets it.
pub(super) fn end_of(claimed: &Claimed) -> (RunId, RunState, Option<String>, Option<String>) {
    assert_eq!(claimed.got, Some(Got::Run));
    let end: EndPayload<'_> = serde_json::from_slice(&claimed.payload).unwrap();
    assert_eq!(end.input.get(), "{\"order\":7}");
    (end.run, end.state, end.output.map(|json| json.get().to_owned()), end.failure.map(|failure| failure.message))
}

pub(super) async fn a_step_waits_for_its_run(bench: Bench) {
    let Nested { outer, step, inner, mut worker, .. } = nested(&bench, easy(), |run| run).await;
    let kept = bench.task(step).await;
    assert_eq!((kept.state, kept.wait, kept.run), (TaskState::Waiting, Some(Wait::Run), Some(outer)));
    assert_eq!((kept.step.as_deref(), kept.fence), (Some("inner"), 0));
    assert_eq!((bench.run(outer).await.open_tasks, bench.run(inner).await.open_tasks), (1, 1));
    assert_eq!(bench.run(inner).await.parent, Some(step));
    worker.free(1);
    bench.clock.advance(secs(100_000));
    worker.quiet().await;
}

pub(super) async fn it_gets_what_its_run_came_to(bench: Bench) {
    let Nested { outer, step, inner, mut worker, claim } = nested(&bench, easy(), |run| run).await;
    bench.clock.advance(secs(5));
    worker.finish_and_free(claim, succeeded(done("[ 7 ]"))).await;
    let claimed = worker.next().await;
    assert_eq!(claimed.claim, Claim { id: step, fence: 1 });
    assert_eq!(end_of(&claimed), (inner, RunState::Succeeded, Some("[ 7 ]".to_owned()), None));
    let kept = bench.task(step).await;
    assert_eq!((kept.wait, kept.run_at), (None, bench.now()));
    assert_eq!(bench.run_state(outer).await, RunState::Running);
    worker.finish(claimed.claim, succeeded(done("1"))).await;
    assert_eq!(bench.run_state(outer).await, RunState::Succeeded);
}

pub(super) async fn what_it_got_stays_over_a_snooze(bench: Bench) {
    let Nested { inner, mut worker, claim, .. } = nested(&bench, easy(), |run| run).await;
    worker.finish_and_free(claim, succeeded(done("1"))).await;
    let claim = worker.next().await.claim;
    worker.finish_and_free(claim, snoozed(secs(0))).await;
    assert_eq!(end_of(&worker.next().await).0, inner);
}

pub(super) async fn it_gets_the_failure_of_its_run(bench: Bench) {
    let Nested { outer, inner, mut worker, claim, .. } = nested(&bench, easy(), |run| run).await;
    worker.finish_and_free(claim, failed(fails("out of stock"))).await;
    let claimed = worker.next().await;
    assert_eq!(end_of(&claimed), (inner, RunState::Failed, None, Some("out of stock".to_owned())));
    assert_eq!(bench.run_state(outer).await, RunState::Running, "what follows is the step's");
    worker.finish(claimed.claim, ok()).await;
    assert_eq!(bench.run_state(outer).await, RunState::Succeeded);
}

pub(super) async fn it_gets_the_cancel_of_its_run(bench: Bench) {
    let Nested { outer, inner, mut worker, claim, .. } = nested(&bench, easy(), |run| run).await;
    assert_eq!(bench.cancel(inner).await, CancelOutcome::Requested);
    worker.finish_and_free(claim, cancelled(Follow::default())).await;
    let claimed = worker.next().await;
    assert!(!claimed.cancelled, "the run was cancelled, and not its step");
    assert_eq!(end_of(&claimed), (inner, RunState::Cancelled, None, None));
    assert_eq!(bench.run_state(outer).await, RunState::Running);
}

pub(super) async fn it_gets_the_end_of_a_run_whose_time_is_up(bench: Bench) {
    let Nested { inner, mut worker, claim, .. } =
        nested(&bench, easy(), |run| NewRun { timeout: Some(secs(5)), ..run }).await;
    bench.clock.advance(secs(5));
    assert_eq!(bench.store.expire_runs().await.unwrap(), [inner]);
    worker.finish_and_free(claim, cancelled(Follow::default())).await;
    assert_eq!(end_of(&worker.next().await).1, RunState::Failed);
}

pub(super) async fn an_output_that_can_not_be_carried_fails_the_run(bench: Bench) {
    let Nested { inner, mut worker, claim, .. } = nested(&bench, easy(), |run| run).await;
    worker.finish_and_free(claim, succeeded(done("{"))).await;
    let claimed = worker.next().await;
    assert_eq!(end_of(&claimed), (inner, RunState::Failed, None, Some("the run's output is no JSON".to_owned())));
}

pub(super) async fn a_run_with_edges_of_its_own_has_both_ends(bench: Bench) {
    let Nested { step, mut worker, claim, .. } = nested(&bench, easy(), |run| NewRun { end_routed: true, ..run }).await;
    worker.finish(claim, succeeded(done("1"))).await;
    worker.free(3);
    let claimed = worker.take(2).await;
    worker.quiet().await;
    assert!(claimed.iter().any(|one| one.claim.id == step));
    assert!(claimed.iter().any(|one| one.of.is_none() && one.name == "flow"));
}

pub(super) async fn the_first_task_is_handed_over(bench: Bench) {
    let (outer, mut worker, claim) = begun(&bench, easy()).await;
    bench.add(send()).await;
    let sub = inner(outer);
    let id = sub.id;
    worker.finish_and_free(claim, succeeded(runs(sub))).await;
    assert_eq!(worker.next().await.of.map(|of| of.run), Some(id));
}

pub(super) async fn two_runs_of_one_run(bench: Bench) {
    let (outer, mut worker, claim) = begun(&bench, easy()).await;
    let subs = [inner(outer), inner(outer)];
    let (ids, steps) = (subs.each_ref().map(|run| run.id), subs.each_ref().map(step_id));
    let work = subs.map(|run| NewWork::Run(Box::new(run))).into();
    worker.finish(claim, succeeded(Follow { work, ..Follow::default() })).await;
    assert_eq!(bench.run(outer).await.open_tasks, 2);
    worker.free(2);
    let claimed = worker.take(2).await;
    worker.finish(claimed[1].claim, succeeded(done("2"))).await;
    assert_eq!((bench.state(steps[0]).await, bench.state(steps[1]).await), (TaskState::Waiting, TaskState::Ready));
    worker.finish(claimed[0].claim, succeeded(done("1"))).await;
    worker.free(2);
    for claimed in worker.take(2).await {
        let which = usize::from(claimed.claim.id == steps[1]);
        assert_eq!((end_of(&claimed).0, claimed.claim.id), (ids[which], steps[which]));
        worker.finish(claimed.claim, ok()).await;
    }
    assert_eq!(bench.run_state(outer).await, RunState::Succeeded);
}

pub(super) async fn a_run_that_is_there_adds_nothing(bench: Bench) {
    let outer = easy();
    let sub = inner(outer.id);
    let again = NewRun { step: Some(step(outer.id, "inner")), ..sub.clone() };
    let ids = [step_id(&sub), step_id(&again)];
    let next = vec![NewWork::Run(Box::new(sub.clone())), NewWork::Run(Box::new(again))];
    let (outer, mut worker) = led_to(&bench, outer, |_| Follow { work: next, ..Follow::default() }).await;
    assert_eq!(bench.run(outer).await.open_tasks, 1);
    assert_eq!((bench.state(ids[0]).await, bench.find(ids[1]).await), (TaskState::Waiting, None));
    // The same again, from a step that ran twice.
    let claim = worker.claim().await.claim;
    worker.finish(claim, succeeded(Follow { work: runs(sub).work, ..done("1") })).await;
    assert_eq!(bench.run(outer).await.open_tasks, 1);
    assert_eq!(bench.all_tasks().await.len(), 3);
}

pub(super) async fn a_run_whose_key_is_taken_adds_no_step(bench: Bench) {
    let keyed = |run| NewRun { key: Some("k".to_owned()), ..run };
    let other = bench.start(keyed(flow())).await;
    bench.cancel(other).await;
    let outer = easy();
    let sub = keyed(inner(outer.id));
    let (step, inner) = (step_id(&sub), sub.id);
    let (outer, _worker) = led_to(&bench, outer, |_| runs(sub)).await;
    assert_eq!((bench.find(step).await, bench.store.run(inner).await.unwrap()), (None, None));
    assert_eq!(bench.run_state(outer).await, RunState::Succeeded, "it has nothing to wait for");
}

pub(super) async fn they_can_only_follow(bench: Bench) {
    let outer = bench.start(flow()).await;
    let answer = bench.store.dispatch(runs(inner(outer)).work).await;
    assert!(matches!(answer, Err(StoreError::Refused { .. })), "{answer:?}");
    assert_eq!(bench.all_tasks().await.len(), 1);
}

pub(super) async fn a_run_that_stops_takes_none(bench: Bench) {
    let (outer, mut worker, claim) = begun(&bench, easy()).await;
    bench.cancel(outer).await;
    let sub = inner(outer);
    let (step, inner) = (step_id(&sub), sub.id);
    worker.finish(claim, succeeded(runs(sub))).await;
    assert_eq!((bench.find(step).await, bench.store.run(inner).await.unwrap()), (None, None));
    assert_eq!(bench.run_state(outer).await, RunState::Cancelled);
}

pub(super) async fn a_cancel_of_the_outer_run_cancels_the_inner(bench: Bench) {
    let Nested { outer, step, inner, mut worker, claim } = nested(&bench, easy(), |run| run).await;
    assert_eq!(bench.cancel(outer).await, CancelOutcome::Requested);
    assert_eq!(worker.told().await, claim);
    assert_eq!(bench.run_state(inner).await, RunState::Cancelling);
    let kept = bench.task(step).await;
    assert_eq!((kept.state, kept.wait), (TaskState::Waiting, Some(Wait::Run)), "it waits for its end");
    assert_eq!(bench.run_state(outer).await, RunState::Cancelling);
    worker.finish(claim, cancelled(Follow::default())).await;
    assert_eq!((bench.run_state(inner).await, bench.state(step).await), (RunState::Cancelled, TaskState::Cancelled));
    let ended = bench.run(outer).await;
    assert_eq!((ended.state, ended.open_tasks), (RunState::Cancelled, 0));
}

pub(super) async fn a_cancel_of_runs_that_only_wait_ends_them_at_once(bench: Bench) {
    let sub = |outer| {
        let run = inner(outer);
        NewRun { first: NewTask { delay: secs(60), ..run.first }, ..run }
    };
    let outer = easy();
    let sub = sub(outer.id);
    let (step, inner) = (step_id(&sub), sub.id);
    let (outer, _worker) = led_to(&bench, outer, |_| runs(sub)).await;
    let (of_outer, of_inner) = (bench.store.ended(outer.into()), bench.store.ended(inner.into()));
    assert_eq!(bench.cancel(outer).await, CancelOutcome::Cancelled);
    assert_eq!((bench.run_state(inner).await, bench.state(step).await), (RunState::Cancelled, TaskState::Cancelled));
    assert_eq!(bench.run_state(outer).await, RunState::Cancelled);
    of_outer.await.unwrap();
    of_inner.await.unwrap();
}

pub(super) async fn a_failure_of_the_outer_run_cancels_the_inner(bench: Bench) {
    let outer = flow();
    let sub = inner(outer.id);
    let (step_of, id) = (step_id(&sub), sub.id);
    let (outer, mut worker) = led_to(&bench, outer, |run| {
        let mut next = runs(sub);
        next.work.extend(then([step(run, "two")]).work);
        next
    })
    .await;
    worker.free(2);
    let claimed = worker.take(2).await;
    let of_inner = claimed.iter().find(|one| one.of.as_ref().unwrap().run == id).unwrap().claim;
    let of_outer = claimed.iter().find(|one| one.of.as_ref().unwrap().run == outer).unwrap().claim;
    worker.finish(of_outer, failed(fails("no"))).await;
    assert_eq!(worker.told().await, of_inner);
    assert_eq!((bench.run_state(outer).await, bench.run(outer).await.open_tasks), (RunState::Compensating, 1));
    // It completes what it does; its run is cancelled all the same.
    worker.finish(of_inner, succeeded(done("1"))).await;
    assert_eq!((bench.run_state(id).await, bench.state(step_of).await), (RunState::Cancelled, TaskState::Cancelled));
    let ended = bench.run(outer).await;
    assert_eq!((ended.state, ended.failure.unwrap().message.as_str()), (RunState::Failed, "no"));
}

pub(super) async fn the_outer_runs_time_is_the_inners(bench: Bench) {
    let Nested { outer, inner, mut worker, claim, .. } =
        nested(&bench, NewRun { timeout: Some(secs(5)), ..easy() }, |run| run).await;
    bench.clock.advance(secs(5));
    assert_eq!(bench.store.expire_runs().await.unwrap(), [outer]);
    assert_eq!(worker.told().await, claim);
    worker.finish(claim, cancelled(Follow::default())).await;
    assert_eq!((bench.run_state(inner).await, bench.run_state(outer).await), (RunState::Cancelled, RunState::Failed));
}

pub(super) async fn a_cancel_of_the_step_cancels_its_run(bench: Bench) {
    let Nested { outer, step, inner, mut worker, claim } = nested(&bench, easy(), |run| run).await;
    assert_eq!(bench.cancel(step).await, CancelOutcome::Requested);
    assert_eq!(worker.told().await, claim);
    assert_eq!((bench.run_state(inner).await, bench.run_state(outer).await), (RunState::Cancelling, RunState::Running));
    worker.finish(claim, cancelled(Follow::default())).await;
    assert_eq!(bench.state(step).await, TaskState::Cancelled);
    let ended = bench.run(outer).await;
    let failure = ended.failure.expect("a step was cancelled alone");
    assert_eq!((ended.state, failure.kind, failure.id), (RunState::Failed, FailureKind::Cancelled, step.uuid()));
}

pub(super) async fn a_cancel_of_a_step_whose_run_only_waits_ends_both(bench: Bench) {
    let outer = easy();
    let sub = inner(outer.id);
    let (step, inner) = (step_id(&sub), sub.id);
    let (outer, _worker) = led_to(&bench, outer, |_| runs(sub)).await;
    assert_eq!(bench.cancel(step).await, CancelOutcome::Cancelled);
    assert_eq!((bench.run_state(inner).await, bench.run_state(outer).await), (RunState::Cancelled, RunState::Failed));
}

pub(super) async fn a_routed_step_comes_as_cancelled_with_the_end_of_its_run(bench: Bench) {
    for whole in [false, true] {
        let routed = |run: NewRun| NewRun { step: run.step.map(|step| NewTask { cancel_routed: true, ..step }), ..run };
        let Nested { outer, step: id, inner, mut worker, claim } = nested(&bench, easy(), routed).await;
        if whole {
            bench.cancel(outer).await;
        } else {
            assert_eq!(bench.cancel(id).await, CancelOutcome::Requested);
        }
        worker.finish_and_free(claim, cancelled(Follow::default())).await;
        worker.told().await;
        let claimed = worker.next().await;
        assert_eq!((claimed.claim.id, claimed.cancelled), (id, true));
        assert_eq!(end_of(&claimed).1, RunState::Cancelled);
        worker.finish_and_free(claimed.claim, cancelled(then([step(outer, "two")]))).await;
        let arm = worker.next().await.claim;
        worker.finish(arm, ok()).await;
        let state = if whole { RunState::Cancelled } else { RunState::Succeeded };
        assert_eq!((bench.run_state(inner).await, bench.run_state(outer).await), (RunState::Cancelled, state));
    }
}

pub(super) async fn a_cancel_that_comes_too_late_changes_nothing_inside(bench: Bench) {
    let Nested { outer, step, inner, mut worker, claim } = nested(&bench, easy(), |run| run).await;
    worker.finish(claim, succeeded(done("1"))).await;
    assert_eq!(bench.cancel(outer).await, CancelOutcome::Cancelled);
    assert_eq!((bench.run_state(inner).await, bench.state(step).await), (RunState::Succeeded, TaskState::Cancelled));
    assert_eq!(bench.run_state(outer).await, RunState::Cancelled);
}

pub(super) async fn a_held_run_does_not_hold_what_is_inside(bench: Bench) {
    let Nested { outer, step: id, inner, mut worker, claim } = nested(&bench, easy(), |run| run).await;
    assert!(bench.pause(outer).await);
    assert_eq!((bench.run_state(inner).await, bench.task(id).await.wait), (RunState::Running, Some(Wait::Run)));
    worker.finish_and_free(claim, succeeded(then([step(inner, "two")]))).await;
    let claim = worker.next().await.claim;
    worker.finish_and_free(claim, succeeded(done("1"))).await;
    worker.quiet().await;
    assert_eq!((bench.run_state(inner).await, bench.task(id).await.wait), (RunState::Succeeded, Some(Wait::Pause)));
    assert!(bench.resume(outer).await);
    assert_eq!(end_of(&worker.next().await).1, RunState::Succeeded);
}

pub(super) async fn what_is_inside_may_be_held(bench: Bench) {
    let Nested { outer, step: id, inner, mut worker, claim } = nested(&bench, easy(), |run| run).await;
    assert!(bench.pause(inner).await);
    worker.finish_and_free(claim, succeeded(then([step(inner, "two")]))).await;
    worker.quiet().await;
    assert_eq!(bench.cancel(outer).await, CancelOutcome::Cancelled, "a cancel reaches it there");
    assert_eq!((bench.run_state(inner).await, bench.state(id).await), (RunState::Cancelled, TaskState::Cancelled));
}

pub(super) async fn a_run_within_a_run_is_listed_with_it(bench: Bench) {
    let Nested { outer, step, inner, .. } = nested(&bench, easy(), |run| run).await;
    let of_outer = bench.store.tasks(TaskFilter::new().run(outer)).await.unwrap();
    assert_eq!(of_outer.last().map(|task| task.id), Some(step));
    assert_eq!(bench.store.tasks(TaskFilter::new().run(inner)).await.unwrap().len(), 1);
}

pub(super) async fn the_end_of_the_inner_run_against_a_cancel_of_the_outer(bench: Bench) {
    let mut worker = bench.worker().await;
    for _ in 0..200 {
        let outer = bench.start(easy()).await;
        let sub = inner(outer);
        let (step, inner) = (step_id(&sub), sub.id);
        let claim = worker.claim().await.claim;
        worker.finish(claim, succeeded(runs(sub))).await;
        let claim = worker.claim().await.claim;
        let (store, id) = (bench.store.clone(), worker.id);
        super::bench::on_threads(2, move |thread| {
            let store = store.clone();
            async move {
                if thread == 0 {
                    let notes = crate::store::Notes::default();
                    let verdict = succeeded(done("1"));
                    store.settle(id, vec![crate::store::Finished { claim, verdict, notes }], Vec::new());
                } else {
                    store.cancel(crate::store::Selection::Ids(vec![outer.into()])).await.unwrap();
                }
            }
        })
        .await;
        worker.answer().await;
        assert!(matches!(bench.run_state(inner).await, RunState::Succeeded | RunState::Cancelled));
        assert_eq!(
            (bench.state(step).await, bench.run_state(outer).await),
            (TaskState::Cancelled, RunState::Cancelled)
        );
    }
}

pub(super) async fn of_two_whose_time_is_up_the_outer_cancels_the_inner(bench: Bench) {
    let Nested { outer, inner, mut worker, claim, .. } =
        nested(&bench, NewRun { timeout: Some(secs(5)), ..easy() }, |run| NewRun { timeout: Some(secs(6)), ..run })
            .await;
    bench.clock.advance(secs(10));
    assert_eq!(bench.store.expire_runs().await.unwrap(), [outer]);
    assert_eq!(bench.run_state(inner).await, RunState::Cancelling);
    worker.finish(claim, cancelled(Follow::default())).await;
    assert_eq!((bench.run_state(inner).await, bench.run_state(outer).await), (RunState::Cancelled, RunState::Failed));
}

pub(super) async fn of_two_whose_time_is_up_the_inner_may_be_the_first(bench: Bench) {
    let Nested { outer, step, inner, mut worker, claim } =
        nested(&bench, NewRun { timeout: Some(secs(6)), ..easy() }, |run| NewRun { timeout: Some(secs(5)), ..run })
            .await;
    bench.clock.advance(secs(10));
    assert_eq!(bench.store.expire_runs().await.unwrap(), [inner, outer]);
    worker.finish(claim, cancelled(Follow::default())).await;
    assert_eq!((bench.run_state(inner).await, bench.run_state(outer).await), (RunState::Failed, RunState::Failed));
    assert_eq!(bench.state(step).await, TaskState::Cancelled);
}

pub(super) async fn a_failure_in_one_call_reaches_inside_before_what_comes_after(bench: Bench) {
    let outer = flow();
    let sub = inner(outer.id);
    let id = sub.id;
    let (outer, mut worker) = led_to(&bench, outer, |run| {
        let mut next = then([step(run, "two")]);
        next.work.extend(runs(sub).work);
        next
    })
    .await;
    worker.free(2);
    let claimed = worker.take(2).await;
    let ends = [failed(fails("no")), succeeded(done("1"))];
    let finished = claimed.iter().zip(ends).map(|(one, verdict)| crate::store::Finished {
        claim: one.claim,
        verdict,
        notes: crate::store::Notes::default(),
    });
    worker.settle(finished.collect(), 0).await;
    assert_eq!((bench.run_state(id).await, bench.run_state(outer).await), (RunState::Cancelled, RunState::Failed));
}

pub(super) async fn all_of_a_name_are_cancelled_inside_and_outside(bench: Bench) {
    let outer = easy();
    let sub = inner(outer.id);
    let id = sub.id;
    let (outer, _worker) = led_to(&bench, outer, |_| runs(sub)).await;
    let mut answers = bench.store.cancel(crate::store::Selection::Name("flow".to_owned())).await.unwrap();
    let mut expected = vec![(outer.into(), CancelOutcome::Cancelled), (id.into(), CancelOutcome::Cancelled)];
    answers.sort_by_key(|(id, _)| id.to_string());
    expected.sort_by_key(|(id, _): &(crate::id::WorkId, _)| id.to_string());
    assert_eq!(answers, expected);
}
