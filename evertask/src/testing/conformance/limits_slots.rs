//! How many tasks of a bucket run at once, whatever their queue and name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::DEFAULT_QUEUE;
use crate::id::TaskId;
use crate::store::{NewTask, QueueState, RunState, Settled, TaskState, Verdict, Wait};

use super::bench::{
    Bench, done, every_verdict, everything, failed, fails, flow, ok, on_threads, retry, secs, send, step, succeeded,
    task, then,
};
use super::claim::ids;
use super::parts::fanned_out;
use super::terms::{a_second, queued, rated, slotted};
use super::worker::TestWorker;

async fn wait_of(bench: &Bench, id: TaskId) -> (TaskState, Option<Wait>) {
    let kept = bench.task(id).await;
    (kept.state, kept.wait)
}

const WAITS: (TaskState, Option<Wait>) = (TaskState::Waiting, Some(Wait::Slot));

/// So many of one bucket, one of which may run and does.
async fn one_runs(bench: &Bench, tasks: usize) -> (TestWorker, Vec<TaskId>, crate::store::Claim) {
    let mut added = Vec::new();
    for _ in 0..tasks {
        added.push(bench.add(slotted("b", 1, send())).await);
    }
    let mut worker = bench.worker().await;
    worker.free(20);
    let claim = worker.next().await.claim;
    assert_eq!(claim.id, added[0]);
    worker.quiet().await;
    (worker, added, claim)
}

pub(super) async fn no_more_run_than_may_and_the_rest_wait(bench: Bench) {
    let mut added = Vec::new();
    for _ in 0..5 {
        added.push(bench.add(slotted("b", 2, send())).await);
    }
    let mut worker = bench.worker().await;
    worker.free(9);
    let taken = worker.take(2).await;
    worker.quiet().await;
    assert_eq!(ids(&taken), added[..2]);
    for &id in &added[2..] {
        let kept = bench.task(id).await;
        assert_eq!((kept.state, kept.wait, kept.fence, kept.worker), (WAITS.0, WAITS.1, 0, None));
        assert_eq!((kept.failures, kept.crashes, kept.interrupts), (0, 0, 0));
    }
    worker.finish(taken[1].claim, ok()).await;
    assert_eq!(worker.next().await.claim.id, added[2]);
    worker.quiet().await;
    assert_eq!(wait_of(&bench, added[3]).await, WAITS);
}

pub(super) async fn what_has_no_limit_goes_on_beside_them(bench: Bench) {
    let (mut worker, ..) = one_runs(&bench, 3).await;
    let id = bench.add(send()).await;
    assert_eq!(worker.next().await.claim.id, id, "and none of its slots is used up by those that wait");
    let other = bench.add(slotted("other", 1, send())).await;
    assert_eq!(worker.next().await.claim.id, other);
}

pub(super) async fn a_bucket_is_shared_by_names_and_queues(bench: Bench) {
    bench.add(slotted("b", 1, send())).await;
    let named = bench.add(slotted("b", 1, task("charge"))).await;
    let other = bench.add(slotted("b", 1, queued("mail", task("ship")))).await;
    let mut worker = bench.worker().await;
    worker.free(2);
    let claim = worker.next().await.claim;
    worker.free_in("mail", 2);
    worker.quiet().await;
    for id in [named, other] {
        assert_eq!(wait_of(&bench, id).await, WAITS);
    }
    worker.finish(claim, ok()).await;
    let next = worker.next().await;
    worker.quiet().await;
    worker.finish(next.claim, ok()).await;
    assert!([named, other].contains(&worker.next().await.claim.id));
}

pub(super) async fn the_first_by_rank_gets_the_slot(bench: Bench) {
    let (mut worker, _, claim) = one_runs(&bench, 1).await;
    let low = bench.add(slotted("b", 1, NewTask { priority: -1, ..send() })).await;
    let plain = bench.add(slotted("b", 1, send())).await;
    let high = bench.add(slotted("b", 1, NewTask { priority: 1, ..send() })).await;
    let again = bench.add(slotted("b", 1, send())).await;
    worker.quiet().await;
    let mut claim = claim;
    for id in [high, plain, again, low] {
        worker.finish(claim, ok()).await;
        let next = worker.next().await;
        assert_eq!(next.claim.id, id);
        worker.quiet().await;
        claim = next.claim;
    }
}

pub(super) async fn each_way_out_gives_the_slot_to_the_next(bench: Bench) {
    for verdict in every_verdict() {
        let (mut worker, added, claim) = one_runs(&bench, 2).await;
        let again = matches!(verdict, Verdict::Interrupted);
        worker.finish(claim, verdict.clone()).await;
        let next = worker.next().await;
        assert!(next.claim.id == added[1] || next.name == "send" || again, "{verdict:?}: {next:?}");
        let mut came = worker.came().await;
        came.push(next);
        let limited: Vec<_> = came.iter().filter(|claimed| added.contains(&claimed.claim.id)).collect();
        assert_eq!(limited.len(), 1, "{verdict:?}");
        worker.detach().await;
        for claimed in came {
            worker.finish(claimed.claim, ok()).await;
        }
        for task in bench.all_tasks().await {
            bench.cancel(task.id).await;
        }
        worker.retire().await;
    }
}

pub(super) async fn a_dead_workers_slot_goes_to_the_next(bench: Bench) {
    let (dead, added, claim) = one_runs(&bench, 3).await;
    let mut worker = bench.worker().await;
    worker.free(9);
    worker.quiet().await;
    bench.store.reclaim(vec![dead.peer().await]).await.unwrap();
    let next = worker.next().await;
    assert!(added[..2].contains(&next.claim.id));
    worker.quiet().await;
    let mut dead = dead;
    assert_eq!(dead.finish(claim, ok()).await, Settled::Fenced);
    worker.quiet().await;
    worker.finish(next.claim, ok()).await;
    worker.next().await;
    worker.quiet().await;
}

pub(super) async fn a_worker_that_leaves_frees_its_slots(bench: Bench) {
    let (leaving, ..) = one_runs(&bench, 2).await;
    let mut worker = bench.worker().await;
    worker.free(9);
    worker.quiet().await;
    leaving.retire().await;
    worker.next().await;
    worker.quiet().await;
}

pub(super) async fn a_retry_waits_like_any_other(bench: Bench) {
    let (mut worker, added, claim) = one_runs(&bench, 2).await;
    worker.finish(claim, retry(secs(5))).await;
    let second = worker.next().await.claim;
    assert_eq!(second.id, added[1]);
    bench.clock.advance(secs(5));
    worker.quiet().await;
    assert_eq!(wait_of(&bench, added[0]).await, WAITS);
    worker.finish(second, ok()).await;
    assert_eq!(worker.next().await.claim.id, added[0]);
}

pub(super) async fn one_that_waits_can_be_cancelled(bench: Bench) {
    let (mut worker, added, claim) = one_runs(&bench, 3).await;
    bench.cancel(added[1]).await;
    assert_eq!(bench.state(added[1]).await, TaskState::Cancelled);
    worker.finish(claim, ok()).await;
    assert_eq!(worker.next().await.claim.id, added[2]);
}

pub(super) async fn one_that_has_got_its_slot_and_is_cancelled_leaves_it_to_the_next(bench: Bench) {
    let (mut worker, added, claim) = one_runs(&bench, 3).await;
    worker.detach().await;
    worker.finish(claim, ok()).await;
    assert_eq!(bench.state(added[1]).await, TaskState::Ready);
    assert_eq!(wait_of(&bench, added[2]).await, WAITS);
    bench.cancel(added[1]).await;
    assert_eq!(bench.state(added[2]).await, TaskState::Ready);
    let mut other = bench.worker().await;
    assert_eq!(other.claim().await.claim.id, added[2]);
}

pub(super) async fn a_queue_that_is_held_does_not_keep_the_slot(bench: Bench) {
    bench.add(slotted("b", 1, send())).await;
    let mut worker = bench.worker().await;
    worker.free(1);
    let claim = worker.next().await.claim;
    worker.free_in("mail", 9);
    let held = bench.add(slotted("b", 1, NewTask { priority: 9, ..queued("mail", send()) })).await;
    let open = bench.add(slotted("b", 1, send())).await;
    worker.free(9);
    worker.quiet().await;
    bench.set_state("mail", QueueState::Paused).await;
    worker.finish(claim, ok()).await;
    let next = worker.next().await;
    assert_eq!(next.claim.id, open);
    worker.finish(next.claim, ok()).await;
    worker.quiet().await;
    bench.set_state("mail", QueueState::Open).await;
    assert_eq!(worker.next().await.claim.id, held);
}

pub(super) async fn how_many_is_said_by_the_one_that_is_claimed(bench: Bench) {
    let wide = bench.add(slotted("b", 3, send())).await;
    let narrow = bench.add(slotted("b", 1, send())).await;
    let other = bench.add(slotted("b", 3, send())).await;
    let mut worker = bench.worker().await;
    worker.free(9);
    let taken = worker.take(2).await;
    worker.quiet().await;
    assert_eq!(ids(&taken), [wide, other]);
    worker.finish(taken[0].claim, ok()).await;
    worker.quiet().await;
    assert_eq!(wait_of(&bench, narrow).await, WAITS);
    worker.finish(taken[1].claim, ok()).await;
    assert_eq!(worker.next().await.claim.id, narrow);
}

pub(super) async fn more_slots_are_filled_by_those_that_wait(bench: Bench) {
    let narrow = bench.add(slotted("b", 1, send())).await;
    let mut worker = bench.worker().await;
    worker.free(9);
    let claim = worker.next().await.claim;
    assert_eq!(claim.id, narrow);
    let blocked = bench.add(slotted("b", 1, send())).await;
    bench.add(slotted("b", 2, send())).await;
    worker.next().await;
    bench.add(slotted("b", 2, send())).await;
    worker.quiet().await;
    assert_eq!(wait_of(&bench, blocked).await, WAITS);
    worker.finish(claim, ok()).await;
    worker.quiet().await;
}

pub(super) async fn it_is_never_handed_over(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let first = bench.add(send()).await;
    let next = slotted("b", 1, task("ship"));
    worker.finish_and_free(claim, succeeded(then([next]))).await;
    assert_eq!(worker.next().await.claim.id, first, "those that came first go first");
    assert_eq!(worker.claim().await.name, "ship");
}

pub(super) async fn a_run_that_is_held_holds_what_waits_for_a_slot(bench: Bench) {
    bench.add(slotted("b", 1, send())).await;
    let mut blocker = bench.worker().await;
    let claim = blocker.claim().await.claim;
    let mut first = flow();
    first.first = slotted("b", 1, first.first);
    let (run, step) = (first.id, first.first.id);
    bench.start(first).await;
    let mut worker = bench.worker().await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(wait_of(&bench, step).await, WAITS);
    assert!(bench.pause(run).await);
    assert_eq!(wait_of(&bench, step).await, (TaskState::Waiting, Some(Wait::Pause)));
    assert!(bench.resume(run).await);
    worker.quiet().await;
    assert_eq!(wait_of(&bench, step).await, WAITS, "it is checked again");
    assert!(bench.pause(run).await);
    blocker.finish(claim, ok()).await;
    worker.quiet().await;
    assert!(bench.resume(run).await);
    assert_eq!(worker.next().await.claim.id, step);
}

pub(super) async fn the_pause_of_one_that_got_its_slot_leaves_it_to_the_next(bench: Bench) {
    bench.add(slotted("b", 1, send())).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let mut run = flow();
    run.first = slotted("b", 1, run.first);
    let run = bench.start(run).await;
    let other = bench.add(slotted("b", 1, send())).await;
    worker.free(1);
    worker.quiet().await;
    worker.detach().await;
    worker.finish(claim, ok()).await;
    assert!(bench.pause(run).await);
    assert_eq!(bench.state(other).await, TaskState::Ready);
}

pub(super) async fn the_failure_of_its_run_ends_what_waits_for_a_slot(bench: Bench) {
    let run = flow();
    let steps = vec![slotted("b", 1, step(run.id, "two")), slotted("b", 1, step(run.id, "three"))];
    let waiting = steps[1].id;
    let (run, mut worker) = fanned_out(&bench, run, steps).await;
    worker.free(2);
    let claim = worker.next().await.claim;
    worker.quiet().await;
    assert_eq!(wait_of(&bench, waiting).await, WAITS);
    worker.finish(claim, failed(fails("no"))).await;
    assert_eq!(bench.state(waiting).await, TaskState::Cancelled);
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn a_routed_cancel_needs_a_slot_too(bench: Bench) {
    let (mut worker, _, claim) = one_runs(&bench, 1).await;
    let id = bench.add(slotted("b", 1, NewTask { cancel_routed: true, ..send() })).await;
    worker.quiet().await;
    bench.cancel(id).await;
    worker.quiet().await;
    worker.finish(claim, ok()).await;
    let claimed = worker.next().await;
    assert_eq!((claimed.claim.id, claimed.cancelled), (id, true));
}

pub(super) async fn a_time_is_not_reserved_by_what_waits_for_a_slot(bench: Bench) {
    let both = || rated("r", a_second(1, 1), slotted("b", 1, send()));
    let first = bench.add(both()).await;
    let second = bench.add(both()).await;
    let mut worker = bench.worker().await;
    worker.free(9);
    let claim = worker.next().await.claim;
    assert_eq!((claim.id, wait_of(&bench, second).await), (first, WAITS));
    bench.clock.advance(secs(5));
    worker.finish(claim, ok()).await;
    assert_eq!(worker.next().await.claim.id, second, "nothing was taken from the rate while it waited");
}

pub(super) async fn what_its_rate_puts_back_leaves_the_slot_to_the_next(bench: Bench) {
    let first = bench.add(rated("r", a_second(1, 1), slotted("b", 1, send()))).await;
    let limited = bench.add(rated("r", a_second(1, 1), slotted("b", 1, send()))).await;
    let free = bench.add(slotted("b", 1, send())).await;
    let mut worker = bench.worker().await;
    worker.free(9);
    let claim = worker.next().await.claim;
    assert_eq!(claim.id, first);
    worker.finish(claim, ok()).await;
    let claim = worker.next().await.claim;
    assert_eq!(claim.id, free);
    assert_eq!(bench.state(limited).await, TaskState::Ready);
    worker.finish(claim, ok()).await;
    bench.clock.advance(secs(1));
    assert_eq!(worker.next().await.claim.id, limited);
}

pub(super) async fn hundreds_of_one_bucket_all_end(bench: Bench) {
    bench.offer((0..300).map(|_| slotted("b", 3, send())).collect()).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(300);
    for _ in 0..300 {
        let claim = worker.next().await.claim;
        assert!(bench.queue(DEFAULT_QUEUE).await.running <= 3);
        worker.finish(claim, ok()).await;
    }
    worker.quiet().await;
}

pub(super) async fn four_workers_that_end_at_once_keep_the_limit(bench: Bench) {
    bench.offer((0..200).map(|_| slotted("b", 3, send())).collect()).await.unwrap();
    let (store, running, ended) =
        (Arc::clone(&bench.store), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    on_threads(4, move |_| {
        let (store, running, ended) = (Arc::clone(&store), Arc::clone(&running), Arc::clone(&ended));
        async move {
            let mut worker = TestWorker::attach(store, "here", everything()).await;
            worker.free(2);
            while ended.load(Ordering::SeqCst) < 200 {
                for claimed in worker.came().await {
                    assert!(running.fetch_add(1, Ordering::SeqCst) < 3, "more run than may");
                    tokio::task::yield_now().await;
                    // It has ended for the store when that has it, so that it is counted out before.
                    running.fetch_sub(1, Ordering::SeqCst);
                    assert_eq!(worker.finish_and_free(claimed.claim, ok()).await, Settled::Committed);
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    })
    .await;
    assert!(bench.all_tasks().await.iter().all(|task| task.state == TaskState::Succeeded));
}

pub(super) async fn steps_of_runs_share_a_bucket(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(9);
    let mut runs = Vec::new();
    for _ in 0..3 {
        let mut run = flow();
        run.first = slotted("b", 1, run.first);
        runs.push(bench.start(run).await);
    }
    for &run in &runs {
        let claimed = worker.next().await;
        worker.quiet().await;
        assert_eq!(claimed.of.as_ref().map(|of| of.run), Some(run));
        worker.finish(claimed.claim, succeeded(done("1"))).await;
        assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    }
}
