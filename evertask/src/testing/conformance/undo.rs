//! Compensation: what undoes the steps of a run that fails or is cancelled.

use crate::id::{RunId, TaskId};
use crate::store::{
    CancelOutcome, Claim, Follow, NewRun, NewTask, NewWork, RunState, Selection, TaskFilter, TaskState, Verdict, Wait,
};

use super::bench::{Bench, cancelled, done, failed, fails, flow, ok, retry, secs, send, step, succeeded, then};
use super::parts::{begun, each, easy, for_each, led_to, payload, undo, undone_by};
use super::worker::TestWorker;

/// A run of which a worker has the step `four`, after these many steps that would be undone, by numbers from 1.
pub(super) async fn undoable(bench: &Bench, run: NewRun, steps: usize) -> (RunId, TestWorker, Claim) {
    let (run, mut worker, mut claim) = begun(bench, run).await;
    for number in 1..=steps {
        let next = step(run, if number == steps { "four" } else { "two" });
        worker.finish_and_free(claim, succeeded(undone_by(run, &number.to_string(), then([next])))).await;
        claim = worker.next().await.claim;
    }
    (run, worker, claim)
}

/// Undoes steps one after the other, and says which.
pub(super) async fn undone(worker: &mut TestWorker, count: usize) -> Vec<String> {
    let mut undone = Vec::new();
    for _ in 0..count {
        let claimed = worker.claim().await;
        worker.free(1);
        worker.quiet().await;
        undone.push(payload(&claimed).to_owned());
        let of = claimed.of.as_ref().expect("an undo is of its run");
        assert_eq!((of.step.as_deref(), claimed.got, claimed.cancelled), (Some("undo"), None, false));
        worker.finish(claimed.claim, ok()).await;
    }
    undone
}

/// What waits to undo a step of the run, by arrival.
pub(super) async fn in_waiting(bench: &Bench, run: RunId) -> Vec<TaskId> {
    let waiting = bench.store.tasks(TaskFilter::new().run(run).state(TaskState::Waiting)).await.unwrap();
    waiting.iter().filter(|task| task.is_undo && task.wait == Some(Wait::Undo)).map(|task| task.id).collect()
}

pub(super) async fn it_waits_and_does_not_count(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let undo = undo(run, "1");
    let id = undo.id;
    worker.finish(claim, succeeded(Follow { undo: Some(undo), ..then([step(run, "two")]) })).await;
    assert_eq!(bench.run(run).await.open_tasks, 1);
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.wait, kept.is_undo), (TaskState::Waiting, Some(Wait::Undo), true));
    assert_eq!((kept.run, kept.payload.as_slice()), (Some(run), &b"1"[..]));
    assert!(!bench.task(claim.id).await.is_undo);
    worker.free(3);
    assert_eq!(worker.next().await.of.unwrap().step.as_deref(), Some("two"));
    bench.clock.advance(secs(100_000));
    worker.quiet().await;
}

pub(super) async fn a_run_that_succeeds_needs_none(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, flow(), 2).await;
    let waiting = in_waiting(&bench, run).await;
    assert_eq!(waiting.len(), 2);
    let told = bench.store.ended(waiting[0].into());
    worker.finish_and_free(claim, succeeded(done("1"))).await;
    worker.quiet().await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    for id in waiting {
        assert_eq!(bench.find(id).await, None);
    }
    told.await.unwrap();
    assert_eq!(bench.store.tasks(TaskFilter::new().run(run)).await.unwrap().len(), 3);
    assert_eq!(bench.all_tasks().await.len(), 3);
}

pub(super) async fn a_failed_run_is_undone_newest_first(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, flow(), 3).await;
    worker.finish(claim, failed(fails("out of stock"))).await;
    let kept = bench.run(run).await;
    assert_eq!((kept.state, kept.open_tasks, kept.finished_at), (RunState::Compensating, 1, None));
    assert_eq!(undone(&mut worker, 3).await, ["3", "2", "1"]);
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks), (RunState::Failed, 0));
    assert_eq!(ended.failure.unwrap().message, "out of stock");
    assert_eq!(ended.finished_at, Some(bench.now()));
}

pub(super) async fn a_cancelled_run_is_undone(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, flow(), 2).await;
    assert_eq!(bench.cancel(run).await, CancelOutcome::Requested);
    worker.quiet_but_told(claim).await;
    worker.finish(claim, cancelled(Follow::default())).await;
    assert_eq!((bench.run_state(run).await, bench.run(run).await.open_tasks), (RunState::Cancelling, 1));
    assert_eq!(undone(&mut worker, 2).await, ["2", "1"]);
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.failure), (RunState::Cancelled, None));
}

pub(super) async fn a_cancel_of_a_run_that_only_waits_starts_it(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let next = then([NewTask { delay: secs(60), ..step(run, "two") }]);
    worker.finish(claim, succeeded(undone_by(run, "1", next))).await;
    assert_eq!(bench.cancel(run).await, CancelOutcome::Requested, "it has something to undo first");
    assert_eq!(bench.run_state(run).await, RunState::Cancelling);
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn a_run_whose_time_is_up_is_undone(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, NewRun { timeout: Some(secs(5)), ..flow() }).await;
    let next = then([NewTask { delay: secs(60), ..step(run, "two") }]);
    worker.finish(claim, succeeded(undone_by(run, "1", next))).await;
    bench.clock.advance(secs(5));
    assert_eq!(bench.store.expire_runs().await.unwrap(), [run]);
    assert_eq!(bench.store.expire_runs().await.unwrap(), []);
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn a_step_that_is_cancelled_alone_has_the_others_undone(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let two = step(run, "two");
    let id = two.id;
    worker.finish(claim, succeeded(undone_by(run, "1", then([two])))).await;
    assert_eq!(bench.cancel(id).await, CancelOutcome::Cancelled);
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn a_run_without_its_output_is_undone(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish(claim, succeeded(undone_by(run, "1", Follow::default()))).await;
    assert_eq!(bench.run_state(run).await, RunState::Compensating);
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    let ended = bench.run(run).await;
    let message = ended.failure.unwrap().message;
    assert_eq!((ended.state, message.as_str()), (RunState::Failed, "the run ended without an output"));
}

pub(super) async fn it_starts_when_everything_else_has_ended(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let steps = then([step(run, "two"), step(run, "three")]);
    worker.finish(claim, succeeded(undone_by(run, "1", steps))).await;
    worker.free(5);
    let claimed = worker.take(2).await;
    worker.finish(claimed[0].claim, failed(fails("no"))).await;
    worker.quiet_but_told(claimed[1].claim).await;
    assert_eq!(bench.run(run).await.open_tasks, 1);
    // It completes all the same, and is the newest then.
    let next = undone_by(run, "3", then([step(run, "four")]));
    worker.finish(claimed[1].claim, succeeded(next)).await;
    assert_eq!(undone(&mut worker, 2).await, ["3", "1"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn a_step_that_completes_in_a_cancelled_run_is_undone(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    bench.cancel(run).await;
    worker.finish(claim, succeeded(undone_by(run, "1", done("1")))).await;
    assert_eq!(bench.run_state(run).await, RunState::Cancelling);
    worker.told().await;
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn what_did_not_succeed_is_not_undone(bench: Bench) {
    for verdict in [failed, cancelled] {
        let (run, mut worker, claim) = begun(&bench, flow()).await;
        worker.finish_and_free(claim, verdict(undone_by(run, "1", then([step(run, "two")])))).await;
        let claim = worker.next().await.claim;
        assert_eq!(in_waiting(&bench, run).await, []);
        worker.finish(claim, failed(fails("no"))).await;
        assert_eq!(bench.run_state(run).await, RunState::Failed);
    }
}

pub(super) async fn a_step_that_succeeds_and_fails_its_run_is_undone(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish(claim, succeeded(undone_by(run, "1", fails("rejected")))).await;
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.failure.unwrap().message.as_str()), (RunState::Failed, "rejected"));
}

pub(super) async fn parallel_steps_are_undone_by_when_they_ended(bench: Bench) {
    let steps = ["two", "three", "four", "gather"];
    let (run, mut worker) = led_to(&bench, flow(), |run| then(steps.map(|name| step(run, name)))).await;
    worker.free(4);
    let claimed = worker.take(4).await;
    for index in [2, 0, 1] {
        worker.finish(claimed[index].claim, succeeded(undone_by(run, steps[index], Follow::default()))).await;
    }
    worker.finish(claimed[3].claim, failed(fails("no"))).await;
    assert_eq!(undone(&mut worker, 3).await, ["three", "two", "four"]);
}

pub(super) async fn steps_that_end_in_one_call_are_undone_last_first(bench: Bench) {
    let (run, mut worker) = led_to(&bench, flow(), |run| then(["two", "three"].map(|name| step(run, name)))).await;
    worker.free(2);
    let claimed = worker.take(2).await;
    let end = |(index, next): (usize, Follow)| crate::store::Finished {
        claim: claimed[index].claim,
        verdict: succeeded(undone_by(run, &index.to_string(), next)),
        notes: crate::store::Notes::default(),
    };
    worker.settle([(1, Follow::default()), (0, fails("no"))].map(end).into(), 0).await;
    assert_eq!(undone(&mut worker, 2).await, ["0", "1"]);
}

pub(super) async fn items_are_undone_by_when_they_ended(bench: Bench) {
    let (run, mut worker) = led_to(&bench, flow(), |run| for_each(each(run, "two", 4, None))).await;
    worker.free(4);
    let claimed = worker.take(4).await;
    for index in [3, 1, 0] {
        let next = undone_by(run, &index.to_string(), Follow::default());
        worker.finish(claimed[index].claim, succeeded(next)).await;
    }
    worker.finish(claimed[2].claim, failed(fails("no"))).await;
    assert_eq!(undone(&mut worker, 3).await, ["0", "1", "3"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn each_time_that_a_step_ran_is_undone(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, flow(), 5).await;
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!(undone(&mut worker, 5).await, ["5", "4", "3", "2", "1"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn it_is_tried_again_before_the_next(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, flow(), 2).await;
    worker.finish(claim, failed(fails("no"))).await;
    let claim = worker.claim().await.claim;
    worker.free(2);
    worker.finish(claim, retry(secs(5))).await;
    worker.quiet().await;
    assert_eq!((bench.run_state(run).await, bench.run(run).await.open_tasks), (RunState::Compensating, 1));
    bench.clock.advance(secs(5));
    let again = worker.next().await;
    assert_eq!((again.claim.id, again.failures), (claim.id, 1));
    worker.finish(again.claim, Verdict::Interrupted).await;
    let again = worker.next().await;
    worker.finish(again.claim, ok()).await;
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn it_outlives_its_worker(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, flow(), 1).await;
    worker.finish(claim, failed(fails("no"))).await;
    let claim = worker.claim().await.claim;
    bench.store.reclaim(vec![worker.peer().await]).await.unwrap();
    let mut other = bench.worker().await;
    let claimed = other.claim().await;
    assert_eq!((claimed.claim.id, claimed.crashes), (claim.id, 1));
    other.finish(claimed.claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn its_delay_holds_when_its_turn_comes(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let late = NewTask { delay: secs(60), ..undo(run, "1") };
    worker.finish(claim, succeeded(Follow { undo: Some(late), ..fails("no") })).await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.run_state(run).await, RunState::Compensating);
    bench.clock.advance(secs(60));
    let claim = worker.next().await.claim;
    worker.finish(claim, ok()).await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn what_an_undo_says_of_its_run_is_dropped(bench: Bench) {
    let ends: [fn(Follow) -> Verdict; 3] = [succeeded, failed, cancelled];
    for end in ends {
        let (run, mut worker, claim) = undoable(&bench, flow(), 1).await;
        worker.finish(claim, failed(fails("first"))).await;
        let claim = worker.claim().await.claim;
        let (own, others, again) = (step(run, "two"), send(), undo(run, "2"));
        let ids = [own.id, others.id, again.id];
        let next = Follow {
            work: vec![NewWork::Task(own), NewWork::Task(others)],
            output: Some(b"1".to_vec()),
            undo: Some(again),
            arrival: Some(super::parts::join(run, &["undo"]).settled().arrival(0)),
            ..fails("second")
        };
        worker.finish(claim, end(next)).await;
        assert_eq!((bench.find(ids[0]).await, bench.find(ids[2]).await), (None, None));
        assert_eq!(bench.state(ids[1]).await, TaskState::Ready, "what it dispatched is its own");
        let ended = bench.run(run).await;
        assert_eq!((ended.state, ended.output), (RunState::Failed, None));
        assert_eq!(ended.failure.unwrap().message, "first");
        bench.cancel(ids[1]).await;
    }
}

pub(super) async fn a_cancel_of_a_run_that_is_undone_stops_nothing(bench: Bench) {
    for running in [false, true] {
        let (run, mut worker, claim) = undoable(&bench, flow(), 2).await;
        worker.finish(claim, failed(fails("no"))).await;
        let claim = if running { Some(worker.claim().await.claim) } else { None };
        assert_eq!(bench.cancel(run).await, CancelOutcome::Requested);
        worker.quiet().await;
        assert_eq!(bench.run_state(run).await, RunState::Compensating, "it still fails");
        match claim {
            Some(claim) => {
                worker.finish(claim, ok()).await;
                assert_eq!(undone(&mut worker, 1).await, ["1"]);
            }
            None => assert_eq!(undone(&mut worker, 2).await, ["2", "1"]),
        }
        assert_eq!(bench.run_state(run).await, RunState::Failed);
        worker.retire().await;
    }
}

pub(super) async fn a_run_may_be_cancelled_twice_while_it_is_undone(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    worker.finish(claim, succeeded(undone_by(run, "1", then([step(run, "two")])))).await;
    assert_eq!(bench.cancel(run).await, CancelOutcome::Requested);
    assert_eq!(bench.cancel(run).await, CancelOutcome::Requested);
    let claim = worker.claim().await.claim;
    assert_eq!(bench.cancel(run).await, CancelOutcome::Requested);
    worker.quiet().await;
    assert!(!bench.task(claim.id).await.cancel_requested);
    worker.finish(claim, ok()).await;
    assert_eq!(bench.cancel(run).await, CancelOutcome::AlreadyFinished);
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn one_that_waits_can_be_cancelled_and_is_passed_over(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, flow(), 3).await;
    let waiting = in_waiting(&bench, run).await;
    assert_eq!(bench.cancel(waiting[1]).await, CancelOutcome::Cancelled);
    assert_eq!(bench.run_state(run).await, RunState::Running, "the run goes on");
    assert_eq!(bench.state(waiting[1]).await, TaskState::Cancelled);
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!(undone(&mut worker, 2).await, ["3", "1"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert!(!bench.resume_undo(run).await, "nothing of it failed");
}

pub(super) async fn one_that_waits_is_no_work_to_be_selected(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let undo = NewTask { name: "charge".into(), correlation: Some("c".to_owned()), ..undo(run, "1") };
    let id = undo.id;
    worker.finish(claim, succeeded(Follow { undo: Some(undo), ..then([step(run, "two")]) })).await;
    for selection in [Selection::Name("charge".to_owned()), Selection::Correlation("c".to_owned())] {
        assert_eq!(bench.store.cancel(selection).await.unwrap(), []);
    }
    assert_eq!(bench.task(id).await.wait, Some(Wait::Undo));
}

pub(super) async fn a_routed_cancel_comes_before_it(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let routed = NewTask { cancel_routed: true, delay: secs(60), ..step(run, "two") };
    worker.finish(claim, succeeded(undone_by(run, "1", then([routed])))).await;
    bench.cancel(run).await;
    let claimed = worker.claim().await;
    assert!(claimed.cancelled);
    worker.finish_and_free(claimed.claim, cancelled(then([step(run, "three")]))).await;
    let arm = worker.next().await;
    assert_eq!(arm.of.unwrap().step.as_deref(), Some("three"), "what follows the cancel, too");
    worker.finish(arm.claim, ok()).await;
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn an_end_that_is_routed_comes_after_it(bench: Bench) {
    let (run, mut worker, claim) = undoable(&bench, NewRun { end_routed: true, ..flow() }, 1).await;
    worker.finish(claim, failed(fails("no"))).await;
    let ends = || TaskFilter { name: Some("flow".to_owned()), ..TaskFilter::default() };
    assert_eq!(bench.store.tasks(ends()).await.unwrap().len(), 0);
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
    assert_eq!(bench.store.tasks(ends()).await.unwrap().len(), 1);
}

impl TestWorker {
    /// Only this running task is told to stop, and nothing else comes.
    async fn quiet_but_told(&mut self, claim: Claim) {
        assert_eq!(self.told().await, claim);
        self.quiet().await;
    }
}

pub(super) async fn a_run_that_is_undone_does_not_expire(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, NewRun { timeout: Some(secs(5)), ..flow() }).await;
    worker.finish(claim, succeeded(undone_by(run, "1", fails("no")))).await;
    bench.clock.advance(secs(5));
    assert_eq!(bench.store.expire_runs().await.unwrap(), []);
    assert_eq!(undone(&mut worker, 1).await, ["1"]);
    assert_eq!(bench.run(run).await.failure.unwrap().message, "no");
    assert_eq!(bench.store.expire_runs().await.unwrap(), []);
}
