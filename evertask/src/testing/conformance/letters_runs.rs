//! Runs that have failed go on with the step that is tried again.

use crate::id::{RunId, TaskId};
use crate::store::{
    Claim, Follow, Got, NewRun, NewTask, NewWork, Revived, RunState, SignalOutcome, TaskState, Verdict, Wait,
};

use super::bench::{Bench, cancelled, done, failed, fails, flow, ok, report, secs, step, succeeded, then};
use super::claim::ids;
use super::parts::{awaiting, begun, each, fanned_out, for_each, gave, inner, join, led_to, runs, undone_by};
use super::worker::TestWorker;

/// A run whose steps `two` and `three` this worker has, in this order.
async fn two_run(bench: &Bench, run: NewRun) -> (RunId, TestWorker, [Claim; 2]) {
    let steps = vec![step(run.id, "two"), step(run.id, "three")];
    let (id, mut worker) = fanned_out(bench, run, steps).await;
    worker.free(2);
    let taken = worker.take(2).await;
    (id, worker, [taken[0].claim, taken[1].claim])
}

pub(super) async fn it_goes_on_to_its_end(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    bench.clock.advance(secs(5));
    assert_eq!(bench.revive(&[claim.id]).await, [Revived::Ready]);
    let going = bench.run(run).await;
    assert_eq!((going.state, going.open_tasks, going.finished_at, going.failure), (RunState::Running, 1, None, None));
    let again = worker.claim().await.claim;
    assert_eq!(again.id, claim.id);
    worker.finish_and_free(again, succeeded(then([step(run, "two")]))).await;
    let claim = worker.next().await.claim;
    let ended = bench.store.ended(run.into());
    worker.finish(claim, succeeded(done("1"))).await;
    ended.await.unwrap();
    let kept = bench.run(run).await;
    assert_eq!((kept.state, kept.output.as_deref(), kept.open_tasks), (RunState::Succeeded, Some(&b"1"[..]), 0));
}

pub(super) async fn it_may_fail_again(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish(claim, failed(fails("first"))).await;
    bench.revive(&[claim.id]).await;
    let again = worker.claim().await.claim;
    worker.finish(again, failed(fails("second"))).await;
    let kept = bench.run(run).await;
    assert_eq!((kept.state, kept.failure.unwrap().message.as_str()), (RunState::Failed, "second"));
    assert_eq!(bench.revive(&[claim.id]).await, [Revived::Ready]);
}

pub(super) async fn what_its_failure_stopped_goes_on_too(bench: Bench) {
    let run = flow();
    let delayed = NewTask { delay: secs(60), ..step(run.id, "four") };
    let steps = vec![step(run.id, "two"), step(run.id, "three"), delayed];
    let (three, four) = (steps[1].id, steps[2].id);
    let due = bench.later(secs(60));
    let (run, mut worker) = fanned_out(&bench, run, steps).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, failed(fails("no"))).await;
    for id in [three, four] {
        assert_eq!(bench.state(id).await, TaskState::Cancelled);
    }
    assert_eq!(bench.revive(&[claim.id]).await, [Revived::Ready]);
    assert_eq!(bench.run(run).await.open_tasks, 3);
    let kept = bench.task(four).await;
    assert_eq!((kept.state, kept.run_at, kept.finished_at), (TaskState::Ready, due, None));
    worker.free(3);
    let mut came = ids(&worker.take(2).await);
    came.sort();
    let mut expected = vec![claim.id, three];
    expected.sort();
    assert_eq!(came, expected);
}

pub(super) async fn what_was_told_to_stop_runs_again(bench: Bench) {
    let (run, mut worker, [two, three]) = two_run(&bench, flow()).await;
    worker.finish(two, failed(fails("no"))).await;
    assert_eq!(worker.told().await, three);
    worker.finish(three, cancelled(fails("told"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    bench.revive(&[two.id]).await;
    let kept = bench.task(three.id).await;
    assert_eq!((kept.state, kept.cancel_requested), (TaskState::Ready, false));
    worker.free(2);
    for claimed in worker.take(2).await {
        assert!(!claimed.cancelled);
        worker.finish(claimed.claim, succeeded(done("1"))).await;
    }
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn what_failed_while_it_stopped_is_tried_again_too(bench: Bench) {
    let (run, mut worker, [two, three]) = two_run(&bench, flow()).await;
    worker.finish(two, failed(fails("first"))).await;
    worker.told().await;
    worker.finish(three, failed(fails("second"))).await;
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Ready]);
    assert_eq!((bench.state(three.id).await, bench.run(run).await.open_tasks), (TaskState::Ready, 2));
    assert_eq!(bench.task(three.id).await.failures, 0);
}

pub(super) async fn both_may_be_asked_for(bench: Bench) {
    let (run, mut worker, [two, three]) = two_run(&bench, flow()).await;
    worker.finish(two, failed(fails("first"))).await;
    worker.told().await;
    worker.finish(three, failed(fails("second"))).await;
    assert_eq!(bench.revive(&[three.id, two.id]).await, [Revived::Ready, Revived::Ready]);
    assert_eq!(bench.run(run).await.open_tasks, 2);
}

pub(super) async fn while_it_stops_it_is_not_taken_up(bench: Bench) {
    let (run, mut worker, [two, three]) = two_run(&bench, flow()).await;
    worker.finish(two, failed(fails("no"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Compensating);
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Stopping]);
    worker.told().await;
    worker.finish(three, cancelled(Follow::default())).await;
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Ready]);
}

pub(super) async fn a_join_remembers_who_had_arrived(bench: Bench) {
    let run = flow();
    let gather = join(run.id, &["two", "three"]);
    let (run, mut worker, [two, three]) = two_run(&bench, run).await;
    worker.finish(two, gave("2", gather.at(0))).await;
    worker.finish(three, failed(fails("no"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert_eq!(bench.revive(&[three.id]).await, [Revived::Ready]);
    let again = worker.claim().await.claim;
    worker.finish_and_free(again, gave("3", gather.at(1))).await;
    let joined = worker.next().await;
    assert_eq!((joined.got, &joined.payload[..]), (Some(Got::Join), &b"[2,3]"[..]));
    worker.finish(joined.claim, succeeded(done("5"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn a_success_whose_follow_up_was_left_out_stands_in_the_way(bench: Bench) {
    let (run, mut worker, [two, three]) = two_run(&bench, flow()).await;
    worker.finish(two, failed(fails("no"))).await;
    worker.told().await;
    worker.finish(three, succeeded(then([step(run, "four")]))).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Followed]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn a_success_that_nothing_follows_does_not(bench: Bench) {
    let (run, mut worker, [two, three]) = two_run(&bench, flow()).await;
    worker.finish(two, failed(fails("no"))).await;
    worker.told().await;
    worker.finish(three, ok()).await;
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Ready]);
    assert_eq!((bench.state(three.id).await, bench.run(run).await.open_tasks), (TaskState::Succeeded, 1));
}

pub(super) async fn what_a_cancel_led_to_stands_in_the_way(bench: Bench) {
    let run = flow();
    let routed = NewTask { cancel_routed: true, ..step(run.id, "three") };
    let steps = vec![step(run.id, "two"), routed];
    let (run, mut worker) = fanned_out(&bench, run, steps).await;
    let two = worker.claim().await.claim;
    worker.finish_and_free(two, failed(fails("no"))).await;
    let three = worker.next().await;
    assert!(three.cancelled);
    worker.finish_and_free(three.claim, cancelled(then([step(run, "four")]))).await;
    let four = worker.next().await.claim;
    worker.finish(four, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Followed]);
}

pub(super) async fn a_failure_with_an_arm_is_followed(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish_and_free(claim, failed(then([step(run, "two")]))).await;
    let two = worker.next().await.claim;
    assert_eq!(bench.revive(&[claim.id]).await, [Revived::Followed]);
    worker.finish(two, failed(fails("no"))).await;
    assert_eq!(bench.revive(&[claim.id, two.id]).await, [Revived::Followed, Revived::Ready]);
}

pub(super) async fn a_run_that_went_on_without_it_is_left_alone(bench: Bench) {
    let (run, mut worker, [two, three]) = two_run(&bench, flow()).await;
    worker.finish(two, failed(Follow::default())).await;
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Followed]);
    worker.finish(three, succeeded(done("1"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Followed]);
}

pub(super) async fn a_settled_failure_that_has_arrived_is_followed(bench: Bench) {
    let run = flow();
    let gather = join(run.id, &["two", "three"]).settled();
    let (_, mut worker, [two, three]) = two_run(&bench, run).await;
    let arrives = Verdict::Failed { report: report("no"), error: None, next: gather.at(0) };
    worker.finish(two, arrives).await;
    worker.finish(three, failed(fails("no"))).await;
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Followed]);
}

pub(super) async fn a_run_that_was_undone_stays_so(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish_and_free(claim, gave("1", undone_by(run, "1", then([step(run, "two")])))).await;
    let two = worker.next().await.claim;
    worker.finish_and_free(two, failed(fails("no"))).await;
    let undo = worker.next().await.claim;
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Undone], "it is being undone");
    worker.finish(undo, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Undone]);
}

pub(super) async fn a_run_whose_end_something_follows_stays_failed(bench: Bench) {
    let (_, mut worker, claim) = begun(&bench, NewRun { end_routed: true, ..flow() }).await;
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!(bench.revive(&[claim.id]).await, [Revived::Followed]);
}

pub(super) async fn a_run_that_is_a_step_stays_failed(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish_and_free(claim, succeeded(runs(inner(run)))).await;
    let first = worker.next().await.claim;
    worker.finish(first, failed(fails("no"))).await;
    assert_eq!(bench.revive(&[first.id]).await, [Revived::Followed]);
}

pub(super) async fn a_run_that_stopped_a_run_within_it_stays_failed(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let mut sub = inner(run);
    sub.first.queue = "other".into();
    let mut work = runs(sub);
    work.work.push(NewWork::Task(step(run, "two")));
    worker.finish_and_free(claim, succeeded(work)).await;
    let two = worker.next().await.claim;
    worker.finish(two, failed(fails("no"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Followed]);
}

pub(super) async fn a_cancelled_run_stays_cancelled(bench: Bench) {
    let (run, mut worker, [two, three]) = two_run(&bench, flow()).await;
    bench.cancel(run).await;
    worker.finish(two, failed(fails("no"))).await;
    worker.finish(three, cancelled(Follow::default())).await;
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Followed]);
}

pub(super) async fn what_waited_for_a_signal_waits_again(bench: Bench) {
    let run = flow();
    let steps = vec![step(run.id, "two"), awaiting(run.id, "three")];
    let waits: TaskId = steps[1].id;
    let (run, mut worker) = fanned_out(&bench, run, steps).await;
    let two = worker.claim().await.claim;
    worker.finish(two, failed(fails("no"))).await;
    assert_eq!(bench.signal(run, "three", "1").await, SignalOutcome::Ended);
    bench.revive(&[two.id]).await;
    let kept = bench.task(waits).await;
    assert_eq!((kept.state, kept.wait), (TaskState::Waiting, Some(Wait::Signal)));
    assert_eq!(bench.signal(run, "three", "1").await, SignalOutcome::Delivered);
    worker.free(2);
    assert!(ids(&worker.take(2).await).contains(&waits));
}

pub(super) async fn a_signal_that_was_kept_is_kept_over_the_failure(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    assert_eq!(bench.signal(run, "two", "7").await, SignalOutcome::Kept);
    worker.finish(claim, failed(fails("no"))).await;
    bench.revive(&[claim.id]).await;
    let again = worker.claim().await.claim;
    worker.finish_and_free(again, succeeded(then([awaiting(run, "two")]))).await;
    let claimed = worker.next().await;
    assert_eq!((claimed.got, &claimed.payload[..]), (Some(Got::Signal), &b"7"[..]));
}

pub(super) async fn a_signal_that_came_while_it_stopped_is_taken(bench: Bench) {
    let run = flow();
    let steps = vec![step(run.id, "two"), step(run.id, "three"), awaiting(run.id, "four"), awaiting(run.id, "five")];
    let (four, five) = (steps[2].id, steps[3].id);
    let (run, mut worker) = fanned_out(&bench, run, steps).await;
    let (two, three) = (worker.claim().await.claim, worker.claim().await.claim);
    worker.finish(two, failed(fails("no"))).await;
    worker.told().await;
    assert_eq!(bench.signal(run, "four", "7").await, SignalOutcome::Kept);
    worker.finish(three, cancelled(Follow::default())).await;
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Ready]);
    assert_eq!((bench.state(four).await, bench.task(five).await.wait), (TaskState::Ready, Some(Wait::Signal)));
    worker.free(3);
    let taken = worker.take(3).await;
    let given = taken.iter().find(|claimed| claimed.claim.id == four).unwrap();
    assert_eq!((given.got, &given.payload[..]), (Some(Got::Signal), &b"7"[..]));
    assert_eq!(bench.signal(run, "four", "8").await, SignalOutcome::Repeated, "it was used");
}

pub(super) async fn items_have_their_turns_again(bench: Bench) {
    let (run, mut worker) = led_to(&bench, flow(), |run| for_each(each(run, "two", 5, Some(2)))).await;
    worker.free(2);
    let taken = worker.take(2).await;
    worker.finish(taken[0].claim, failed(fails("no"))).await;
    worker.told().await;
    worker.finish(taken[1].claim, cancelled(Follow::default())).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert_eq!(bench.revive(&[taken[0].claim.id]).await, [Revived::Ready]);
    assert_eq!(bench.run(run).await.open_tasks, 5);
    worker.free(5);
    let mut running = worker.take(2).await;
    worker.quiet().await;
    let mut ended = 0;
    while let Some(claimed) = running.pop() {
        worker.finish(claimed.claim, succeeded(done("1"))).await;
        ended += 1;
        running.extend(worker.came().await);
        assert!(running.len() <= 2);
    }
    assert_eq!((ended, bench.run_state(run).await), (5, RunState::Succeeded));
}

pub(super) async fn a_time_that_is_up_is_not_counted_again(bench: Bench) {
    let run = NewRun { timeout: Some(secs(10)), ..flow() };
    let (run, mut worker, [two, three]) = two_run(&bench, run).await;
    bench.clock.advance(secs(10));
    assert_eq!(bench.store.expire_runs().await, Ok(vec![run]));
    worker.finish(two, failed(fails("told"))).await;
    worker.finish(three, cancelled(Follow::default())).await;
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Ready]);
    assert_eq!(bench.run(run).await.deadline, None);
    bench.clock.advance(secs(100));
    assert_eq!(bench.store.expire_runs().await, Ok(Vec::new()));
}

pub(super) async fn a_time_that_is_not_up_still_is(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, NewRun { timeout: Some(secs(10)), ..flow() }).await;
    worker.finish(claim, failed(fails("no"))).await;
    bench.clock.advance(secs(5));
    bench.revive(&[claim.id]).await;
    bench.clock.advance(secs(5));
    assert_eq!(bench.store.expire_runs().await, Ok(vec![run]));
}

pub(super) async fn what_was_cancelled_by_hand_stands_in_the_way(bench: Bench) {
    let (_, mut worker, [two, three]) = two_run(&bench, flow()).await;
    bench.cancel(three.id).await;
    worker.finish(two, failed(fails("no"))).await;
    worker.finish(three, cancelled(Follow::default())).await;
    assert_eq!(bench.revive(&[two.id]).await, [Revived::Followed]);
}

pub(super) async fn a_waiting_worker_gets_all_of_it(bench: Bench) {
    let run = flow();
    let steps = vec![step(run.id, "two"), step(run.id, "three")];
    let (_, mut worker) = fanned_out(&bench, run, steps).await;
    let two = worker.claim().await.claim;
    worker.finish(two, failed(fails("no"))).await;
    worker.free(2);
    worker.quiet().await;
    bench.revive(&[two.id]).await;
    worker.take(2).await;
    worker.quiet().await;
}
