//! Runs that are held: what runs ends and is kept, nothing new starts.

use crate::id::{RunId, TaskId};
use crate::store::{CancelOutcome, Follow, Got, NewRun, NewTask, RunState, SignalOutcome, TaskState, Verdict, Wait};

use super::bench::{
    Bench, cancelled, done, failed, fails, flow, ok, retry, secs, send, snoozed, step, succeeded, then, undecodable,
};
use super::parts::{awaiting, begun, each, easy, for_each, ids_of, led_to, payload, undone_by};
use super::worker::TestWorker;

/// What a task waits for.
async fn wait(bench: &Bench, id: TaskId) -> Option<Wait> {
    bench.task(id).await.wait
}

/// A held run, whose first step a worker has.
async fn held(bench: &Bench, run: NewRun) -> (RunId, TestWorker, crate::store::Claim) {
    let (run, worker, claim) = begun(bench, run).await;
    assert!(bench.pause(run).await);
    (run, worker, claim)
}

pub(super) async fn what_is_ready_waits(bench: Bench) {
    let (run, mut worker) = led_to(&bench, easy(), |run| then([step(run, "two"), step(run, "three")])).await;
    assert!(bench.pause(run).await);
    let kept = bench.run(run).await;
    assert_eq!((kept.state, kept.open_tasks, kept.finished_at), (RunState::Paused, 2, None));
    worker.free(2);
    worker.quiet().await;
    for task in bench.all_tasks().await.into_iter().skip(1) {
        assert_eq!((task.state, task.wait, task.fence), (TaskState::Waiting, Some(Wait::Pause), 0));
    }
    assert!(bench.resume(run).await);
    assert_eq!(bench.run_state(run).await, RunState::Running);
    for claimed in worker.take(2).await {
        assert_eq!((claimed.got, wait(&bench, claimed.claim.id).await), (None, None));
        worker.finish(claimed.claim, ok()).await;
    }
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn what_runs_ends_and_what_follows_waits(bench: Bench) {
    let (run, mut worker, claim) = held(&bench, easy()).await;
    worker.quiet().await;
    let kept = bench.task(claim.id).await;
    assert_eq!((kept.state, kept.cancel_requested), (TaskState::Running, false), "nobody is told");
    let next = step(run, "two");
    let id = next.id;
    worker.finish_and_free(claim, succeeded(then([next]))).await;
    worker.quiet().await;
    assert_eq!(bench.state(claim.id).await, TaskState::Succeeded);
    assert_eq!((bench.state(id).await, wait(&bench, id).await), (TaskState::Waiting, Some(Wait::Pause)));
    bench.resume(run).await;
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn what_is_not_of_it_goes_on(bench: Bench) {
    let (run, mut worker, claim) = held(&bench, easy()).await;
    worker.finish_and_free(claim, succeeded(then([step(run, "two"), send()]))).await;
    assert_eq!(worker.next().await.of, None);
    let (other, _, claim) = begun(&bench, easy()).await;
    assert_eq!(bench.run_state(other).await, RunState::Running);
    worker.finish(claim, ok()).await;
    assert_eq!(bench.run_state(other).await, RunState::Succeeded);
}

pub(super) async fn they_resume_in_their_order(bench: Bench) {
    let names = ["two", "three", "four", "gather"];
    let (run, mut worker) = led_to(&bench, easy(), |run| {
        then(names.map(|name| NewTask { priority: i16::from(name == "four"), ..step(run, name) }))
    })
    .await;
    bench.pause(run).await;
    bench.add(send()).await;
    bench.resume(run).await;
    worker.free(5);
    let claimed = worker.take(5).await;
    let steps: Vec<_> = claimed.iter().map(|one| one.of.as_ref().and_then(|of| of.step.as_deref())).collect();
    assert_eq!(steps, [Some("four"), Some("two"), Some("three"), Some("gather"), None], "as if nothing had been");
}

pub(super) async fn what_is_put_back_waits_for_its_time(bench: Bench) {
    for verdict in [retry(secs(60)), snoozed(secs(60))] {
        let (run, mut worker, claim) = held(&bench, easy()).await;
        let due = bench.now().plus(secs(60));
        worker.finish(claim, verdict).await;
        let kept = bench.task(claim.id).await;
        assert_eq!((kept.state, kept.wait, kept.run_at), (TaskState::Waiting, Some(Wait::Pause), due));
        assert_eq!(kept.failures + kept.interrupts, 1);
        bench.clock.advance(secs(30));
        bench.resume(run).await;
        worker.free(1);
        worker.quiet().await;
        let kept = bench.task(claim.id).await;
        assert_eq!((kept.state, kept.wait, kept.run_at), (TaskState::Ready, None, due));
        bench.clock.advance(secs(30));
        let again = worker.next().await;
        assert_eq!(again.claim.id, claim.id);
        worker.finish(again.claim, ok()).await;
        assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    }
}

pub(super) async fn what_was_due_meanwhile_comes_at_once(bench: Bench) {
    let (run, mut worker) = led_to(&bench, easy(), |run| then([NewTask { delay: secs(60), ..step(run, "two") }])).await;
    let due = bench.now().plus(secs(60));
    bench.pause(run).await;
    worker.free(1);
    bench.clock.advance(secs(300));
    worker.quiet().await;
    bench.resume(run).await;
    let claimed = worker.next().await;
    assert_eq!(bench.task(claimed.claim.id).await.run_at, due);
}

pub(super) async fn what_is_handed_back_waits(bench: Bench) {
    let (run, mut worker, claim) = held(&bench, easy()).await;
    worker.finish_and_free(claim, Verdict::Interrupted).await;
    worker.quiet().await;
    assert_eq!(wait(&bench, claim.id).await, Some(Wait::Pause));
    bench.resume(run).await;
    let again = worker.next().await.claim;
    bench.pause(run).await;
    worker.retire().await;
    let kept = bench.task(again.id).await;
    assert_eq!((kept.wait, kept.interrupts, kept.worker), (Some(Wait::Pause), 2, None));
}

pub(super) async fn a_dead_workers_task_waits(bench: Bench) {
    let (run, worker, claim) = held(&bench, easy()).await;
    assert_eq!(bench.store.reclaim(vec![worker.peer().await]).await.unwrap(), [claim.id]);
    let kept = bench.task(claim.id).await;
    assert_eq!((kept.state, kept.wait, kept.crashes), (TaskState::Waiting, Some(Wait::Pause), 1));
    let mut other = bench.worker().await;
    other.free(1);
    other.quiet().await;
    bench.resume(run).await;
    assert_eq!(other.next().await.claim.id, claim.id);
}

pub(super) async fn what_is_parked_stays_parked_and_then_waits(bench: Bench) {
    let (run, mut worker, claim) = held(&bench, easy()).await;
    worker.finish(claim, undecodable()).await;
    assert_eq!(bench.state(claim.id).await, TaskState::Parked);
    let mut other = bench.worker().await;
    other.free(1);
    other.quiet().await;
    let kept = bench.task(claim.id).await;
    assert_eq!((kept.state, kept.wait, kept.parked), (TaskState::Waiting, Some(Wait::Pause), None));
    bench.resume(run).await;
    assert_eq!(other.next().await.claim.id, claim.id);
}

pub(super) async fn a_signal_is_taken_but_starts_nothing(bench: Bench) {
    let (run, mut worker) = led_to(&bench, easy(), |run| then([awaiting(run, "two")])).await;
    bench.pause(run).await;
    let id = bench.all_tasks().await[1].id;
    assert_eq!(wait(&bench, id).await, Some(Wait::Signal), "it still waits for its signal");
    worker.free(1);
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Delivered);
    worker.quiet().await;
    let kept = bench.task(id).await;
    assert_eq!((kept.wait, kept.payload.as_slice()), (Some(Wait::Pause), &b"1"[..]));
    assert_eq!(bench.signal(run, "two", "2").await, SignalOutcome::Repeated);
    bench.resume(run).await;
    let claimed = worker.next().await;
    assert_eq!((claimed.got, payload(&claimed)), (Some(Got::Signal), "1"));
}

pub(super) async fn a_kept_signal_is_taken_but_starts_nothing(bench: Bench) {
    let (run, mut worker, claim) = held(&bench, easy()).await;
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Kept);
    worker.finish_and_free(claim, succeeded(then([awaiting(run, "two")]))).await;
    worker.quiet().await;
    assert_eq!(bench.all_tasks().await[1].wait, Some(Wait::Pause));
    bench.resume(run).await;
    let claimed = worker.next().await;
    assert_eq!((claimed.got, payload(&claimed)), (Some(Got::Signal), "1"));
}

pub(super) async fn a_time_out_starts_nothing(bench: Bench) {
    let (run, mut worker) =
        led_to(&bench, easy(), |run| then([NewTask { delay: secs(60), ..awaiting(run, "two") }])).await;
    bench.pause(run).await;
    worker.free(1);
    bench.clock.advance(secs(60));
    worker.quiet().await;
    assert_eq!(bench.all_tasks().await[1].wait, Some(Wait::Pause));
    assert_eq!(bench.signal(run, "two", "1").await, SignalOutcome::Kept, "it comes too late");
    bench.resume(run).await;
    let claimed = worker.next().await;
    assert_eq!((claimed.got, payload(&claimed)), (Some(Got::Nothing), "{}"));
}

pub(super) async fn what_waits_for_a_signal_still_does_when_it_goes_on(bench: Bench) {
    let (run, mut worker) =
        led_to(&bench, easy(), |run| then([NewTask { delay: secs(60), ..awaiting(run, "two") }])).await;
    bench.pause(run).await;
    bench.resume(run).await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.all_tasks().await[1].wait, Some(Wait::Signal));
    bench.clock.advance(secs(60));
    assert_eq!(worker.next().await.got, Some(Got::Nothing));
}

pub(super) async fn a_turn_comes_but_starts_nothing(bench: Bench) {
    let run = easy();
    let group = each(run.id, "two", 5, Some(2));
    let ids = ids_of(&group);
    let (run, mut worker) = led_to(&bench, run, |_| for_each(group)).await;
    let claim = worker.claim().await.claim;
    bench.pause(run).await;
    worker.finish(claim, ok()).await;
    worker.free(5);
    worker.quiet().await;
    for (id, waits_for) in ids[1..].iter().zip([Wait::Pause, Wait::Pause, Wait::Turn, Wait::Turn]) {
        assert_eq!(wait(&bench, *id).await, Some(waits_for));
    }
    bench.resume(run).await;
    let claimed = worker.take(2).await;
    worker.quiet().await;
    assert_eq!([claimed[0].claim.id, claimed[1].claim.id], ids[1..3]);
}

pub(super) async fn items_that_are_added_meanwhile_wait(bench: Bench) {
    let (run, mut worker, claim) = held(&bench, easy()).await;
    let group = each(run, "two", 3, Some(2));
    let ids = ids_of(&group);
    worker.finish_and_free(claim, succeeded(for_each(group))).await;
    worker.quiet().await;
    for (id, waits_for) in ids.iter().zip([Wait::Pause, Wait::Pause, Wait::Turn]) {
        assert_eq!(wait(&bench, *id).await, Some(waits_for));
    }
    bench.resume(run).await;
    assert_eq!(worker.next().await.claim.id, ids[0]);
}

pub(super) async fn its_last_task_ends_it(bench: Bench) {
    let (run, mut worker, claim) = held(&bench, flow()).await;
    worker.finish(claim, succeeded(done("1"))).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.output.as_deref()), (RunState::Succeeded, Some(&b"1"[..])));
    assert!(!bench.resume(run).await);
}

pub(super) async fn its_last_task_fails_it_without_an_output(bench: Bench) {
    let (run, mut worker, claim) = held(&bench, flow()).await;
    worker.finish(claim, ok()).await;
    let ended = bench.run(run).await;
    assert_eq!(ended.state, RunState::Failed);
    assert_eq!(ended.failure.unwrap().message, "the run ended without an output");
}

pub(super) async fn a_failure_ends_the_pause(bench: Bench) {
    let (run, mut worker) = led_to(&bench, flow(), |run| {
        let routed = NewTask { cancel_routed: true, ..step(run, "three") };
        undone_by(run, "1", then([step(run, "two"), step(run, "four"), routed]))
    })
    .await;
    let claim = worker.claim().await.claim;
    bench.pause(run).await;
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Compensating);
    let routed = worker.claim().await;
    assert!(routed.cancelled, "it starts, so that it can end");
    worker.finish(routed.claim, cancelled(Follow::default())).await;
    let undo = worker.claim().await;
    assert_eq!(payload(&undo), "1");
    worker.finish(undo.claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert!(bench.all_tasks().await.iter().all(|task| task.state.is_terminal()));
}

pub(super) async fn a_cancel_ends_the_pause(bench: Bench) {
    let (run, mut worker) = led_to(&bench, flow(), |run| undone_by(run, "1", then([step(run, "two")]))).await;
    bench.pause(run).await;
    assert_eq!(bench.cancel(run).await, CancelOutcome::Requested);
    assert_eq!(bench.run_state(run).await, RunState::Cancelling);
    assert!(!bench.resume(run).await);
    let undo = worker.claim().await;
    worker.finish(undo.claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn a_held_run_with_nothing_running_is_cancelled_at_once(bench: Bench) {
    let run = bench.start(flow()).await;
    bench.pause(run).await;
    assert_eq!(bench.cancel(run).await, CancelOutcome::Cancelled);
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn a_routed_step_of_a_held_run_comes_as_cancelled(bench: Bench) {
    let (run, mut worker) =
        led_to(&bench, flow(), |run| then([NewTask { cancel_routed: true, delay: secs(60), ..step(run, "two") }]))
            .await;
    bench.pause(run).await;
    bench.cancel(run).await;
    let claimed = worker.claim().await;
    assert!(claimed.cancelled);
    worker.finish(claimed.claim, cancelled(Follow::default())).await;
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn its_time_is_up_all_the_same(bench: Bench) {
    let run = bench.start(NewRun { timeout: Some(secs(5)), ..flow() }).await;
    bench.pause(run).await;
    bench.clock.advance(secs(5));
    assert_eq!(bench.store.expire_runs().await.unwrap(), [run]);
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks), (RunState::Failed, 0));
}

pub(super) async fn a_cancel_of_one_step_fails_a_held_run(bench: Bench) {
    let (run, worker) = led_to(&bench, flow(), |run| then([step(run, "two"), step(run, "three")])).await;
    bench.pause(run).await;
    let id = bench.all_tasks().await[1].id;
    assert_eq!(bench.cancel(id).await, CancelOutcome::Cancelled);
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks), (RunState::Failed, 0));
    drop(worker);
}

pub(super) async fn a_cancel_of_one_routed_step_waits_with_it(bench: Bench) {
    let (run, mut worker) =
        led_to(&bench, easy(), |run| then([NewTask { cancel_routed: true, ..step(run, "two") }])).await;
    bench.pause(run).await;
    let id = bench.all_tasks().await[1].id;
    assert_eq!(bench.cancel(id).await, CancelOutcome::Requested);
    worker.free(1);
    worker.quiet().await;
    let kept = bench.task(id).await;
    assert_eq!((kept.wait, kept.cancel_requested), (Some(Wait::Pause), true));
    bench.resume(run).await;
    assert!(worker.next().await.cancelled);
}

pub(super) async fn only_a_run_that_runs_is_held(bench: Bench) {
    assert!(!bench.pause(RunId::new()).await);
    let (run, mut worker, claim) = held(&bench, flow()).await;
    assert!(!bench.pause(run).await, "it is held");
    bench.resume(run).await;
    bench.cancel(run).await;
    assert!(!bench.pause(run).await, "it is being cancelled");
    worker.finish(claim, cancelled(Follow::default())).await;
    assert!(!bench.pause(run).await, "it has ended");
}

pub(super) async fn only_a_run_that_is_held_is_resumed(bench: Bench) {
    assert!(!bench.resume(RunId::new()).await);
    let run = bench.start(flow()).await;
    assert!(!bench.resume(run).await, "it runs");
    bench.pause(run).await;
    assert!(bench.resume(run).await);
    assert!(!bench.resume(run).await, "it runs again");
    bench.cancel(run).await;
    assert!(!bench.resume(run).await, "it has ended");
}

pub(super) async fn a_run_that_is_undone_is_not_held(bench: Bench) {
    let (run, mut worker) = led_to(&bench, flow(), |run| undone_by(run, "1", Follow::default())).await;
    assert_eq!(bench.run_state(run).await, RunState::Compensating);
    assert!(!bench.pause(run).await);
    let claimed = worker.claim().await;
    assert_eq!(payload(&claimed), "1");
    worker.finish(claimed.claim, ok()).await;
}

pub(super) async fn it_may_be_held_again_and_again(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let mut claim = claim;
    for _ in 0..5 {
        assert!(bench.pause(run).await);
        worker.finish_and_free(claim, succeeded(then([step(run, "two")]))).await;
        worker.quiet().await;
        assert!(bench.resume(run).await);
        claim = worker.next().await.claim;
    }
    worker.finish(claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn a_pause_against_the_end_of_a_step(bench: Bench) {
    let mut worker = bench.worker().await;
    for _ in 0..200 {
        let run = bench.start(easy()).await;
        let claim = worker.claim().await.claim;
        let next = step(run, "two");
        let (store, id, of) = (bench.store.clone(), worker.id, next.id);
        super::bench::on_threads(2, move |thread| {
            let (store, next) = (store.clone(), next.clone());
            async move {
                if thread == 0 {
                    let verdict = succeeded(then([next]));
                    let notes = crate::store::Notes::default();
                    store.settle(id, vec![crate::store::Finished { claim, verdict, notes }], Vec::new());
                } else {
                    assert!(store.pause(run).await.unwrap());
                }
            }
        })
        .await;
        worker.answer().await;
        assert_eq!(wait(&bench, of).await, Some(Wait::Pause), "whichever came first");
        bench.resume(run).await;
        let claim = worker.claim().await.claim;
        worker.finish(claim, ok()).await;
        assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    }
}

pub(super) async fn its_last_task_fails_it_where_a_join_is_not_complete(bench: Bench) {
    let (run, mut worker, claim) = held(&bench, easy()).await;
    worker.finish(claim, succeeded(super::parts::join(run, &["one", "two"]).at(0))).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.failure.unwrap().message.contains("`gather`")), (RunState::Failed, true));
}
