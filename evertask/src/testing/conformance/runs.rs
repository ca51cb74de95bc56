//! Runs: their open tasks, their output, their failure, and their end.

use std::collections::HashSet;

use crate::failure::FailureKind;
use crate::id::{RunId, TaskId};
use crate::store::{
    Finished, Follow, NewRun, NewTask, NewWork, Notes, RunState, Settled, StepOf, TaskFilter, TaskState, Verdict,
};
use crate::workflow::end::EndPayload;

use super::bench::{
    Bench, done, failed, fails, flow, ok, on_threads, retry, secs, send, snoozed, step, succeeded, task, then,
};
use super::parts::{begun, fanned_out};
use super::worker::TestWorker;

pub(super) async fn it_succeeds_with_the_output_of_its_last_step(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    bench.clock.advance(secs(1));
    worker.finish(claim, succeeded(done("[7]"))).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks), (RunState::Succeeded, 0));
    assert_eq!((ended.output.as_deref(), ended.failure), (Some(&b"[7]"[..]), None));
    assert_eq!(ended.finished_at, Some(bench.now()));
}

pub(super) async fn it_succeeds_with_the_output_it_was_given(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, NewRun { output: Some(b"null".to_vec()), ..flow() }).await;
    worker.finish(claim, ok()).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.output.as_deref()), (RunState::Succeeded, Some(&b"null"[..])));
}

pub(super) async fn it_fails_without_the_output_it_promised(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish(claim, ok()).await;
    let ended = bench.run(run).await;
    let failure = ended.failure.expect("it says why");
    assert_eq!((ended.state, ended.output), (RunState::Failed, None));
    assert_eq!((failure.task.as_str(), failure.id, failure.kind), ("flow", run.uuid(), FailureKind::Declared));
    assert_eq!((failure.message.as_str(), failure.attempts), ("the run ended without an output", 0));
}

pub(super) async fn the_output_may_come_before_the_last_step(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let next = Follow { output: Some(b"1".to_vec()), ..then([step(run, "two")]) };
    worker.finish_and_free(claim, succeeded(next)).await;
    let kept = bench.run(run).await;
    assert_eq!((kept.state, kept.open_tasks, kept.output.as_deref()), (RunState::Running, 1, Some(&b"1"[..])));
    assert_eq!(kept.finished_at, None);
    let claim = worker.next().await.claim;
    worker.finish(claim, ok()).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.output.as_deref()), (RunState::Succeeded, Some(&b"1"[..])));
}

pub(super) async fn it_counts_its_open_tasks(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    assert_eq!(bench.run(run).await.open_tasks, 1);
    worker.finish(claim, succeeded(then([step(run, "two"), step(run, "three"), step(run, "three")]))).await;
    for open in [3, 2, 1] {
        let kept = bench.run(run).await;
        assert_eq!((kept.open_tasks, kept.state), (open, RunState::Running));
        let claim = worker.claim().await.claim;
        worker.finish(claim, succeeded(done("1"))).await;
    }
    let ended = bench.run(run).await;
    assert_eq!((ended.open_tasks, ended.state), (0, RunState::Succeeded));
}

pub(super) async fn it_stays_open_while_a_task_may_still_run(bench: Bench) {
    let steps = |run| vec![step(run, "two"), NewTask { delay: secs(60), ..step(run, "three") }];
    let (run, mut worker, claim) = begun(&bench, NewRun { output: Some(b"1".to_vec()), ..flow() }).await;
    worker.finish(claim, succeeded(then(steps(run)))).await;
    for verdict in [retry(secs(0)), snoozed(secs(0)), Verdict::Interrupted] {
        let claim = worker.claim().await.claim;
        worker.finish(claim, verdict).await;
        assert_eq!(bench.run(run).await.open_tasks, 2);
    }
    let claim = worker.claim().await.claim;
    worker.finish(claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Running, "one task waits for its time");
    bench.clock.advance(secs(60));
    let claim = worker.claim().await.claim;
    worker.finish(claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn a_failed_step_with_an_arm_goes_on(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish_and_free(claim, failed(then([step(run, "two")]))).await;
    let claim = worker.next().await.claim;
    assert_eq!(bench.run_state(run).await, RunState::Running);
    worker.finish(claim, succeeded(done("1"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn a_failure_fails_it(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let next = fails("out of stock");
    let why = next.failure.clone();
    worker.finish(claim, failed(next)).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.failure, ended.open_tasks), (RunState::Failed, why, 0));
    assert_eq!(ended.finished_at, Some(bench.now()));
}

pub(super) async fn a_step_that_succeeded_may_fail_it(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish(claim, succeeded(fails("rejected"))).await;
    assert_eq!(bench.state(claim.id).await, TaskState::Succeeded);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn a_failure_stops_what_it_still_has(bench: Bench) {
    let run = flow();
    let id = run.id;
    let steps =
        vec![step(id, "two"), step(id, "two"), step(id, "three"), NewTask { delay: secs(60), ..step(id, "four") }];
    let ids: Vec<TaskId> = steps.iter().map(|task| task.id).collect();
    let (run, mut worker) = fanned_out(&bench, run, steps).await;
    let mut other = bench.worker().await;
    let failing = worker.claim().await.claim;
    let running = other.claim().await.claim;
    worker.finish(failing, failed(fails("no"))).await;
    assert_eq!(other.told().await, running);
    let kept = bench.run(run).await;
    assert_eq!((kept.state, kept.open_tasks, kept.finished_at), (RunState::Compensating, 1, None));
    assert!(bench.task(running.id).await.cancel_requested);
    assert_eq!(bench.state(ids[2]).await, TaskState::Cancelled);
    assert_eq!(bench.state(ids[3]).await, TaskState::Cancelled);
    other.finish(running, super::bench::cancelled(Follow::default())).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks), (RunState::Failed, 0));
    assert_eq!(ended.failure.unwrap().message, "no");
}

pub(super) async fn a_failure_stops_a_parked_step(bench: Bench) {
    let run = flow();
    let id = run.id;
    let (run, mut worker) = fanned_out(&bench, run, vec![step(id, "two"), step(id, "three")]).await;
    let parked = worker.claim().await.claim;
    worker.finish(parked, super::bench::undecodable()).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!(bench.state(parked.id).await, TaskState::Cancelled);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn the_first_failure_counts(bench: Bench) {
    let run = flow();
    let id = run.id;
    let (run, mut worker) = fanned_out(&bench, run, vec![step(id, "two"), step(id, "three")]).await;
    worker.free(2);
    let claimed = worker.take(2).await;
    worker.finish(claimed[0].claim, failed(fails("first"))).await;
    worker.finish(claimed[1].claim, failed(fails("second"))).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.failure.unwrap().message.as_str()), (RunState::Failed, "first"));
}

pub(super) async fn a_failing_run_takes_nothing_more(bench: Bench) {
    let run = flow();
    let id = run.id;
    let (run, mut worker) = fanned_out(&bench, run, vec![step(id, "two"), step(id, "three")]).await;
    worker.free(2);
    let claimed = worker.take(2).await;
    worker.finish(claimed[0].claim, failed(fails("no"))).await;
    let (own, others) = (step(run, "four"), send());
    let (own_id, others_id) = (own.id, others.id);
    let next = Follow { output: Some(b"1".to_vec()), ..then([own, others]) };
    assert_eq!(worker.finish(claimed[1].claim, succeeded(next)).await, Settled::Committed);
    assert_eq!(bench.state(claimed[1].claim.id).await, TaskState::Succeeded, "it did what it did");
    assert_eq!(bench.find(own_id).await, None, "nothing of the run follows");
    assert_eq!(bench.state(others_id).await, TaskState::Ready, "what the handler dispatched does");
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.output), (RunState::Failed, None));
}

pub(super) async fn what_fails_it_adds_nothing_of_it(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let (own, others) = (step(run, "two"), send());
    let (own_id, others_id) = (own.id, others.id);
    let next = Follow { work: then([own, others]).work, ..fails("no") };
    worker.finish(claim, failed(next)).await;
    assert_eq!(bench.find(own_id).await, None);
    assert_eq!(bench.state(others_id).await, TaskState::Ready);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn a_step_with_an_arm_for_its_cancel_is_ended_by_a_worker(bench: Bench) {
    let run = flow();
    let id = run.id;
    let routed = NewTask { cancel_routed: true, delay: secs(60), ..step(id, "three") };
    let routed_id = routed.id;
    let (run, mut worker) = fanned_out(&bench, run, vec![step(id, "two"), routed]).await;
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, failed(fails("no"))).await;
    let claimed = worker.next().await;
    assert_eq!((claimed.claim.id, claimed.cancelled), (routed_id, true), "it is due at once");
    let undo = step(run, "four");
    let undo_id = undo.id;
    worker.finish_and_free(claimed.claim, super::bench::cancelled(then([undo]))).await;
    let claimed = worker.next().await;
    assert_eq!(claimed.claim.id, undo_id, "what follows the cancel runs");
    assert_eq!(bench.run_state(run).await, RunState::Compensating);
    worker.finish(claimed.claim, succeeded(then([step(run, "one")]))).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks), (RunState::Failed, 0));
}

pub(super) async fn work_that_is_not_of_it_does_not_count(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let sub = flow();
    let sub_id = sub.id;
    let work = vec![NewWork::Task(send()), NewWork::Run(Box::new(sub))];
    worker.finish(claim, succeeded(Follow { work, ..done("1") })).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    assert_eq!(bench.run_state(sub_id).await, RunState::Running);
}

pub(super) async fn the_last_output_counts(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, NewRun { output: Some(b"0".to_vec()), ..flow() }).await;
    let next = Follow { output: Some(b"1".to_vec()), ..then([step(run, "two")]) };
    worker.finish_and_free(claim, succeeded(next)).await;
    let claim = worker.next().await.claim;
    worker.finish(claim, failed(done("2"))).await;
    assert_eq!(bench.run(run).await.output.as_deref(), Some(&b"2"[..]));
}

pub(super) async fn two_of_its_steps_end_in_one_call(bench: Bench) {
    let run = flow();
    let id = run.id;
    let (run, mut worker) = fanned_out(&bench, run, vec![step(id, "two"), step(id, "three")]).await;
    worker.free(2);
    let claimed = worker.take(2).await;
    let finished =
        claimed.iter().map(|one| Finished { claim: one.claim, verdict: succeeded(done("1")), notes: Notes::default() });
    worker.settle(finished.collect(), 0).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks), (RunState::Succeeded, 0));
}

pub(super) async fn a_failure_reaches_what_the_same_call_handed_over(bench: Bench) {
    let run = flow();
    let id = run.id;
    let (run, mut worker) = fanned_out(&bench, run, vec![step(id, "two"), step(id, "three")]).await;
    worker.free(2);
    let claimed = worker.take(2).await;
    let next = step(run, "four");
    let next_id = next.id;
    let verdicts = [succeeded(then([next])), failed(fails("no"))];
    let finished = claimed.iter().zip(verdicts).map(|(one, verdict)| Finished {
        claim: one.claim,
        verdict,
        notes: Notes::default(),
    });
    worker.settle(finished.collect(), 1).await;
    // Either it was handed over and is told to stop, or it never started.
    let kept = bench.task(next_id).await;
    if kept.state == TaskState::Running {
        assert!(kept.cancel_requested);
        let claimed = worker.next().await;
        assert_eq!(claimed.claim.id, next_id);
        if !claimed.cancelled {
            assert_eq!(worker.told().await, claimed.claim);
        }
        worker.finish(claimed.claim, super::bench::cancelled(Follow::default())).await;
    }
    assert_eq!(bench.state(next_id).await, TaskState::Cancelled);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

/// The one end task of a run, claimed.
async fn end_task(bench: &Bench, run: RunId, worker: &mut TestWorker) -> (RunState, Option<String>, Option<String>) {
    let ends = TaskFilter { name: Some("flow".to_owned()), ..TaskFilter::default() };
    let listed = bench.store.tasks(ends).await.unwrap();
    assert_eq!(listed.len(), 1, "one end task");
    assert_eq!((listed[0].run, listed[0].queue.as_str()), (None, crate::DEFAULT_QUEUE));
    let claimed = worker.claim().await;
    assert_eq!((claimed.claim.id, claimed.name.as_str(), claimed.of), (listed[0].id, "flow", None));
    assert_eq!(claimed.correlation.as_deref(), Some("c"));
    let payload: EndPayload<'_> = serde_json::from_slice(&claimed.payload).unwrap();
    assert_eq!((payload.run, payload.input.get()), (run, "{\"order\":7}"));
    let text = (payload.output.map(|json| json.get().to_owned()), payload.failure.map(|failure| failure.message));
    (payload.state, text.0, text.1)
}

fn routed() -> NewRun {
    NewRun { end_routed: true, correlation: Some("c".to_owned()), parent: Some(TaskId::new()), ..flow() }
}

pub(super) async fn an_end_that_is_routed_adds_one_task_on_success(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, routed()).await;
    worker.finish(claim, succeeded(done("[1]"))).await;
    let end = end_task(&bench, run, &mut worker).await;
    assert_eq!(end, (RunState::Succeeded, Some("[1]".to_owned()), None));
}

pub(super) async fn an_end_that_is_routed_adds_one_task_on_failure(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, routed()).await;
    worker.finish(claim, failed(fails("no"))).await;
    let (state, _, failure) = end_task(&bench, run, &mut worker).await;
    assert_eq!((state, failure.as_deref()), (RunState::Failed, Some("no")));
}

pub(super) async fn an_end_that_is_routed_adds_one_task_on_cancel(bench: Bench) {
    let run = bench.start(routed()).await;
    bench.cancel(run).await;
    let mut worker = bench.worker().await;
    let (state, _, failure) = end_task(&bench, run, &mut worker).await;
    assert_eq!((state, failure), (RunState::Cancelled, None));
}

pub(super) async fn an_end_that_is_routed_adds_one_task_when_time_is_up(bench: Bench) {
    let run = bench.start(NewRun { timeout: Some(secs(5)), ..routed() }).await;
    bench.clock.advance(secs(5));
    assert_eq!(bench.store.expire_runs().await.unwrap(), [run]);
    let mut worker = bench.worker().await;
    assert_eq!(end_task(&bench, run, &mut worker).await.0, RunState::Failed);
}

pub(super) async fn an_end_that_is_not_routed_adds_nothing(bench: Bench) {
    let (_, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish_and_free(claim, succeeded(done("1"))).await;
    worker.quiet().await;
    assert_eq!(bench.all_tasks().await.len(), 1);
}

pub(super) async fn a_chain_counts_its_tasks_too(bench: Bench) {
    let mut first = flow();
    let of = StepOf { run: first.id, workflow: "flow".into(), step: None };
    first.first = NewTask { of: Some(of.clone()), ..send() };
    first.output = Some(b"1".to_vec());
    let (run, mut worker, claim) = begun(&bench, first).await;
    let next = NewTask { of: Some(of), ..task("ship") };
    worker.finish_and_free(claim, succeeded(then([next]))).await;
    let claimed = worker.next().await;
    assert_eq!((claimed.name.as_str(), bench.run(run).await.open_tasks), ("ship", 1));
    worker.finish(claimed.claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn it_ends_once_when_its_last_steps_end_on_two_workers_at_once(bench: Bench) {
    const ROUNDS: usize = 150;
    let mut workers = Vec::new();
    for _ in 0..2 {
        workers.push(bench.worker().await);
    }
    for _ in 0..ROUNDS {
        let run = NewRun { end_routed: true, ..flow() };
        let id = run.id;
        bench.start(run).await;
        let first = workers[0].claim().await.claim;
        workers[0].finish(first, succeeded(then([step(id, "two"), step(id, "three")]))).await;
        let mut ends = Vec::new();
        for worker in &mut workers {
            ends.push((worker.id, worker.claim().await.claim));
        }
        let (store, given) = (bench.store.clone(), ends.clone());
        on_threads(2, move |thread| {
            let (worker, claim) = given[thread];
            let end = Finished { claim, verdict: succeeded(done("1")), notes: Notes::default() };
            store.settle(worker, vec![end], Vec::new());
            std::future::ready(())
        })
        .await;
        for (worker, (_, claim)) in workers.iter_mut().zip(ends) {
            assert_eq!(worker.answer().await, (claim, Settled::Committed));
        }
        let ended = bench.run(id).await;
        assert_eq!((ended.state, ended.open_tasks), (RunState::Succeeded, 0));
        // The end task: one for each run, out of the way of the next.
        let claimed = workers[0].claim().await;
        assert_eq!(claimed.name, "flow");
        workers[0].finish(claimed.claim, ok()).await;
    }
    let tasks = bench.all_tasks().await;
    assert_eq!(tasks.len(), ROUNDS * 4);
    assert_eq!(tasks.iter().map(|task| task.id).collect::<HashSet<_>>().len(), ROUNDS * 4);
}
