//! Signals: values from outside, and the steps that wait for them.

use crate::id::RunId;
use crate::store::{Claimed, Got, NewTask, NewWork, RunState, SignalOutcome, TaskState, Wait};

use super::bench::{Bench, done, failed, fails, ok, on_threads, retry, secs, send, step, succeeded, then};
use super::parts::{awaiting, begun, easy, led_to, payload};
use super::worker::TestWorker;

/// A run whose second step, `two`, waits for a signal, and that step.
async fn waits(bench: &Bench, change: impl FnOnce(NewTask) -> NewTask) -> (RunId, crate::id::TaskId, TestWorker) {
    let run = easy();
    let task = change(awaiting(run.id, "two"));
    let id = task.id;
    let (run, worker) = led_to(bench, run, |_| then([task])).await;
    (run, id, worker)
}

fn got(claimed: &Claimed) -> (Option<Got>, &str) {
    (claimed.got, payload(claimed))
}

pub(super) async fn a_step_waits_for_its_signal(bench: Bench) {
    let (run, id, mut worker) = waits(&bench, |task| task).await;
    worker.free(1);
    worker.quiet().await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.wait, kept.fence), (TaskState::Waiting, Some(Wait::Signal), 0));
    let kept = bench.run(run).await;
    assert_eq!((kept.state, kept.open_tasks), (RunState::Running, 1), "it counts");
    assert_eq!(bench.signal(run, "two", "{\"yes\":true}").await, SignalOutcome::Delivered);
    let claimed = worker.next().await;
    assert_eq!((claimed.claim.id, got(&claimed)), (id, (Some(Got::Signal), "{\"yes\":true}")));
    assert_eq!(bench.task(id).await.wait, None);
    worker.finish(claimed.claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn a_delivered_signal_is_due_when_it_came(bench: Bench) {
    let (run, id, _worker) = waits(&bench, |task| NewTask { delay: secs(60), ..task }).await;
    bench.clock.advance(secs(7));
    bench.signal(run, "two", "1").await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.run_at, kept.payload), (TaskState::Ready, bench.now(), b"1".to_vec()));
}

pub(super) async fn a_signal_that_comes_first_is_kept_for_its_step(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Kept);
    worker.finish_and_free(claim, succeeded(then([awaiting(run, "two")]))).await;
    let claimed = worker.next().await;
    assert_eq!(got(&claimed), (Some(Got::Signal), "1"));
}

pub(super) async fn a_kept_signal_starts_a_step_whatever_its_time(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    bench.signal(run, "two", "2").await;
    bench.signal(run, "three", "3").await;
    let in_an_hour = NewTask { delay: secs(3600), ..awaiting(run, "two") };
    let too_late = NewTask { at: Some(bench.now()), ..awaiting(run, "three") };
    worker.finish(claim, succeeded(then([in_an_hour, too_late]))).await;
    worker.free(2);
    let claimed = worker.take(2).await;
    assert_eq!(got(&claimed[0]), (Some(Got::Signal), "2"));
    assert_eq!(got(&claimed[1]), (Some(Got::Signal), "3"));
}

pub(super) async fn a_kept_signal_is_used_once(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    bench.signal(run, "two", "1").await;
    let steps = [awaiting(run, "two"), awaiting(run, "two")];
    let ids = [steps[0].id, steps[1].id];
    worker.finish(claim, succeeded(then(steps))).await;
    assert_eq!(bench.state(ids[0]).await, TaskState::Ready);
    assert_eq!(bench.state(ids[1]).await, TaskState::Waiting);
}

pub(super) async fn a_kept_signal_is_not_replaced(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Kept);
    assert_eq!(bench.signal(run, "two", "2").await, SignalOutcome::Repeated);
    worker.finish_and_free(claim, succeeded(then([awaiting(run, "two")]))).await;
    assert_eq!(got(&worker.next().await), (Some(Got::Signal), "1"));
}

pub(super) async fn a_signal_after_the_one_that_was_taken_is_repeated(bench: Bench) {
    let (run, _, mut worker) = waits(&bench, |task| task).await;
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Delivered);
    assert_eq!(bench.signal(run, "two", "2").await, SignalOutcome::Repeated);
    let claimed = worker.claim().await;
    assert_eq!(got(&claimed), (Some(Got::Signal), "1"));
    assert_eq!(bench.signal(run, "two", "3").await, SignalOutcome::Repeated, "while it runs, too");
    // The same of one that was kept first.
    assert_eq!(bench.signal(run, "three", "1").await, SignalOutcome::Kept);
    worker.finish(claimed.claim, succeeded(then([awaiting(run, "three")]))).await;
    assert_eq!(bench.signal(run, "three", "2").await, SignalOutcome::Repeated);
}

pub(super) async fn a_later_wait_takes_a_signal_that_comes_while_it_waits(bench: Bench) {
    let (run, _, mut worker) = waits(&bench, |task| task).await;
    bench.signal(run, "two", "1").await;
    assert_eq!(bench.signal(run, "two", "2").await, SignalOutcome::Repeated);
    let claim = worker.claim().await.claim;
    let again = awaiting(run, "two");
    let id = again.id;
    worker.finish_and_free(claim, succeeded(then([again]))).await;
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Waiting, "the repeated one is not for it");
    assert_eq!(bench.signal(run, "two", "3").await, SignalOutcome::Delivered);
    assert_eq!(got(&worker.next().await), (Some(Got::Signal), "3"));
}

pub(super) async fn the_oldest_of_those_that_wait_gets_it(bench: Bench) {
    let (run, mut worker) =
        led_to(&bench, easy(), |run| then([awaiting(run, "two"), awaiting(run, "three"), awaiting(run, "two")])).await;
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Delivered);
    assert_eq!(bench.signal(run, "two", "2").await, SignalOutcome::Delivered);
    assert_eq!(bench.signal(run, "two", "3").await, SignalOutcome::Repeated);
    worker.free(3);
    let claimed = worker.take(2).await;
    worker.quiet().await;
    assert_eq!((payload(&claimed[0]), payload(&claimed[1])), ("1", "2"), "in the order in which they came");
}

pub(super) async fn a_signal_is_for_its_step(bench: Bench) {
    let (run, id, mut worker) = waits(&bench, |task| task).await;
    worker.free(1);
    assert_eq!(bench.signal(run, "three", "1").await, SignalOutcome::Kept);
    assert_eq!(bench.signal(run, "Two", "1").await, SignalOutcome::Kept);
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Waiting);
}

pub(super) async fn a_signal_is_for_its_run(bench: Bench) {
    let (first, first_step, _) = waits(&bench, |task| task).await;
    let (second, second_step, _) = waits(&bench, |task| task).await;
    assert_eq!(bench.signal(second, "two", "2").await, SignalOutcome::Delivered);
    assert_eq!(bench.state(first_step).await, TaskState::Waiting);
    assert_eq!(bench.signal(first, "two", "1").await, SignalOutcome::Delivered);
    assert_eq!(bench.task(first_step).await.payload, b"1");
    assert_eq!(bench.task(second_step).await.payload, b"2");
}

pub(super) async fn a_step_that_waits_for_nothing_takes_no_signal(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Kept);
    worker.finish_and_free(claim, succeeded(then([step(run, "two")]))).await;
    let claimed = worker.next().await;
    assert_eq!(got(&claimed), (None, "{}"));
    worker.finish_and_free(claimed.claim, succeeded(then([awaiting(run, "two")]))).await;
    assert_eq!(got(&worker.next().await), (Some(Got::Signal), "1"), "it is kept for one that does");
}

pub(super) async fn a_time_out_brings_nothing(bench: Bench) {
    let (run, id, mut worker) = waits(&bench, |task| NewTask { delay: secs(60), ..task }).await;
    let due = bench.now().plus(secs(60));
    assert_eq!(bench.task(id).await.run_at, due);
    worker.free(1);
    bench.clock.advance(secs(59));
    worker.quiet().await;
    bench.clock.advance(secs(1));
    let claimed = worker.next().await;
    assert_eq!(got(&claimed), (Some(Got::Nothing), "{}"), "its payload is as it was given");
    assert_eq!(bench.task(id).await.run_at, due);
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Kept, "a late one is for the next that waits");
    worker.finish_and_free(claimed.claim, succeeded(then([awaiting(run, "two")]))).await;
    assert_eq!(got(&worker.next().await), (Some(Got::Signal), "1"));
}

pub(super) async fn a_time_says_when_it_is_over_instead(bench: Bench) {
    let at = bench.now().plus(secs(30));
    let (_, id, mut worker) = waits(&bench, |task| NewTask { at: Some(at), delay: secs(5), ..task }).await;
    worker.free(1);
    bench.clock.advance(secs(29));
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Waiting);
    bench.clock.advance(secs(1));
    assert_eq!(worker.next().await.got, Some(Got::Nothing));
}

pub(super) async fn a_time_out_that_is_past_starts_it_at_once(bench: Bench) {
    let (_, id, mut worker) = waits(&bench, |task| NewTask { at: Some(bench.now()), ..task }).await;
    assert_eq!(bench.task(id).await.wait, None);
    assert_eq!(got(&worker.claim().await), (Some(Got::Nothing), "{}"));
}

pub(super) async fn without_a_time_out_it_waits_for_ever(bench: Bench) {
    let (run, id, mut worker) = waits(&bench, |task| task).await;
    worker.free(1);
    bench.clock.advance(secs(200 * 365 * 86_400));
    worker.quiet().await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.run_at.as_millis()), (TaskState::Waiting, i64::MAX));
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Delivered);
    assert_eq!(got(&worker.next().await), (Some(Got::Signal), "1"));
}

pub(super) async fn a_signal_in_time_is_not_followed_by_its_time_out(bench: Bench) {
    let (run, id, mut worker) = waits(&bench, |task| NewTask { delay: secs(60), ..task }).await;
    bench.clock.advance(secs(30));
    bench.signal(run, "two", "1").await;
    let claim = worker.claim().await.claim;
    worker.free(1);
    bench.clock.advance(secs(60));
    worker.quiet().await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.fence), (TaskState::Running, 1));
    worker.finish(claim, retry(secs(0))).await;
    assert_eq!(got(&worker.next().await), (Some(Got::Signal), "1"), "what it got stays over a retry");
}

pub(super) async fn nothing_stays_nothing_over_a_retry(bench: Bench) {
    let (_, _, mut worker) = waits(&bench, |task| NewTask { delay: secs(60), ..task }).await;
    bench.clock.advance(secs(60));
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, retry(secs(0))).await;
    assert_eq!(got(&worker.next().await), (Some(Got::Nothing), "{}"));
}

pub(super) async fn a_run_that_is_not_there_is_not_found(bench: Bench) {
    assert_eq!(bench.signal(RunId::new(), "two", "1").await, SignalOutcome::NotFound);
}

pub(super) async fn a_run_that_ended_takes_none(bench: Bench) {
    for state in [RunState::Succeeded, RunState::Failed, RunState::Cancelled] {
        let (run, mut worker, claim) = begun(&bench, easy()).await;
        assert_eq!(bench.signal(run, "three", "1").await, SignalOutcome::Kept);
        match state {
            RunState::Succeeded => drop(worker.finish(claim, succeeded(done("1"))).await),
            RunState::Failed => drop(worker.finish(claim, failed(fails("no"))).await),
            _ => {
                bench.cancel(run).await;
                worker.finish(claim, super::bench::cancelled(then([]))).await;
            }
        }
        assert_eq!(bench.run_state(run).await, state);
        for step in ["two", "three"] {
            assert_eq!(bench.signal(run, step, "1").await, SignalOutcome::Ended);
        }
    }
}

pub(super) async fn a_run_that_stops_still_keeps_one(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    bench.cancel(run).await;
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Kept);
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Repeated);
    // What follows a cancel may wait for it.
    worker.finish_and_free(claim, super::bench::cancelled(then([awaiting(run, "two")]))).await;
    assert_eq!(got(&worker.next().await), (Some(Got::Signal), "1"));
}

pub(super) async fn a_cancel_of_its_run_ends_a_step_that_waits(bench: Bench) {
    let (run, id, _worker) = waits(&bench, |task| NewTask { delay: secs(60), ..task }).await;
    bench.cancel(run).await;
    assert_eq!((bench.state(id).await, bench.run_state(run).await), (TaskState::Cancelled, RunState::Cancelled));
    bench.clock.advance(secs(60));
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.wait), (TaskState::Cancelled, None), "its time-out is over too");
}

pub(super) async fn a_cancel_of_a_step_that_waits_fails_its_run(bench: Bench) {
    let (run, id, _worker) = waits(&bench, |task| task).await;
    assert_eq!(bench.cancel(id).await, crate::store::CancelOutcome::Cancelled);
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks), (RunState::Failed, 0));
    assert_eq!(ended.failure.unwrap().kind, crate::failure::FailureKind::Cancelled);
}

pub(super) async fn a_routed_step_that_waits_comes_as_cancelled(bench: Bench) {
    let (run, id, mut worker) = waits(&bench, |task| NewTask { cancel_routed: true, ..task }).await;
    assert_eq!(bench.cancel(run).await, crate::store::CancelOutcome::Requested);
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Kept, "it waits no more");
    let claimed = worker.claim().await;
    assert_eq!((claimed.claim.id, claimed.cancelled), (id, true));
    worker.finish(claimed.claim, super::bench::cancelled(then([]))).await;
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn a_failure_ends_a_step_that_waits(bench: Bench) {
    let run = easy();
    let waiting = awaiting(run.id, "two");
    let id = waiting.id;
    let (run, mut worker) = led_to(&bench, run, |run| then([waiting, step(run, "three")])).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!((bench.state(id).await, bench.run_state(run).await), (TaskState::Cancelled, RunState::Failed));
}

pub(super) async fn a_value_is_kept_byte_for_byte(bench: Bench) {
    let value: Vec<u8> = (0..=255_u8).cycle().take(1 << 20).collect();
    let (run, id, _worker) = waits(&bench, |task| task).await;
    bench.store.signal(run, "two".to_owned(), &[], value.clone()).await.unwrap();
    bench.store.signal(run, "dré 🦀\0".to_owned(), &[], value.clone()).await.unwrap();
    assert_eq!(bench.task(id).await.payload, value);
}

pub(super) async fn a_task_of_no_run_waits_for_no_signal(bench: Bench) {
    let id = bench.add(NewTask { wait: Some(Wait::Signal), ..send() }).await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.wait, kept.run_at), (TaskState::Ready, None, bench.now()));
    let sent = NewTask { wait: Some(Wait::Signal), ..send() };
    bench.store.dispatch(vec![NewWork::Task(sent)]).await.unwrap();
    let mut worker = bench.worker().await;
    assert_eq!(worker.claim().await.got, None);
}

pub(super) async fn only_a_signal_can_be_asked_for(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let waits = [Wait::Turn, Wait::Undo, Wait::Run, Wait::Pause];
    worker.finish(claim, succeeded(then(waits.map(|wait| NewTask { wait: Some(wait), ..step(run, "two") })))).await;
    worker.free(4);
    for claimed in worker.take(4).await {
        assert_eq!(claimed.got, None);
        worker.finish(claimed.claim, ok()).await;
    }
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn of_two_at_once_one_is_delivered(bench: Bench) {
    for _ in 0..200 {
        let (run, _, mut worker) = waits(&bench, |task| task).await;
        let outcomes = two_at_once(&bench, run).await;
        let first = outcomes.iter().position(|&outcome| outcome == SignalOutcome::Delivered);
        let first = first.unwrap_or_else(|| panic!("nobody was heard: {outcomes:?}"));
        assert_eq!(outcomes[1 - first], SignalOutcome::Repeated);
        let claimed = worker.claim().await;
        assert_eq!(got(&claimed), (Some(Got::Signal), first.to_string().as_str()));
        worker.finish(claimed.claim, ok()).await;
        worker.retire().await;
    }
}

pub(super) async fn of_two_at_once_one_is_kept(bench: Bench) {
    for _ in 0..200 {
        let (run, mut worker, claim) = begun(&bench, easy()).await;
        let outcomes = two_at_once(&bench, run).await;
        let first = outcomes.iter().position(|&outcome| outcome == SignalOutcome::Kept);
        let first = first.unwrap_or_else(|| panic!("nothing was kept: {outcomes:?}"));
        assert_eq!(outcomes[1 - first], SignalOutcome::Repeated);
        worker.finish_and_free(claim, succeeded(then([awaiting(run, "two")]))).await;
        let claimed = worker.next().await;
        assert_eq!(got(&claimed), (Some(Got::Signal), first.to_string().as_str()));
        worker.finish(claimed.claim, ok()).await;
        worker.retire().await;
    }
}

/// Two signals for the step `two`, from two threads, each with its number.
async fn two_at_once(bench: &Bench, run: RunId) -> Vec<SignalOutcome> {
    let store = bench.store.clone();
    on_threads(2, move |number| {
        let value = number.to_string().into_bytes();
        let reply = super::bench::asked(store.signal(run, "two".to_owned(), &[], value));
        async { reply.await.unwrap() }
    })
    .await
}
