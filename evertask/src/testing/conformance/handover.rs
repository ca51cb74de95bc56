//! A continuation goes straight to the worker that made it, where nothing goes before it.

use crate::id::TaskId;
use crate::store::{Delivery, Finished, NewTask, Notes, RunState, Settled, TaskState};

use super::bench::{Bench, done, flow, knowing, ok, secs, send, step, succeeded, task, then};
use super::worker::TestWorker;

/// A worker that has the first step of a run, and that step's continuation.
async fn begun(bench: &Bench) -> (TestWorker, Finished, TaskId) {
    let run = bench.start(flow()).await;
    let next = step(run, "two");
    let id = next.id;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    (worker, Finished { claim, verdict: succeeded(then([next])), notes: Notes::default() }, id)
}

pub(super) async fn the_continuation_comes_claimed_with_the_answer(bench: Bench) {
    let (mut worker, finished, id) = begun(&bench).await;
    let claim = finished.claim;
    bench.store.settle(worker.id, vec![finished], vec![("default".to_owned(), 1)]);
    match worker.delivery().await {
        Delivery::Settled(settled) => assert_eq!(settled, [(claim, Settled::Committed)]),
        other => panic!("the answer comes first: {other:?}"),
    }
    match worker.delivery().await {
        Delivery::Claimed(claimed) => {
            assert_eq!(claimed.len(), 1);
            assert_eq!((claimed[0].claim.id, claimed[0].claim.fence), (id, 1));
            assert_eq!(claimed[0].of.as_ref().unwrap().step.as_deref(), Some("two"));
        }
        other => panic!("the claim comes next: {other:?}"),
    }
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.fence, kept.worker), (TaskState::Running, 1, Some(worker.id)));
}

pub(super) async fn it_goes_before_others_of_its_priority(bench: Bench) {
    let (mut worker, finished, id) = begun(&bench).await;
    let older = bench.add(send()).await;
    worker.settle(vec![finished], 1).await;
    assert_eq!(worker.next().await.claim.id, id);
    worker.quiet().await;
    assert_eq!(bench.state(older).await, TaskState::Ready);
}

pub(super) async fn it_goes_before_others_of_a_lower_priority(bench: Bench) {
    let (mut worker, finished, id) = begun(&bench).await;
    bench.add(NewTask { priority: -1, ..send() }).await;
    worker.settle(vec![finished], 1).await;
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn a_higher_priority_goes_first(bench: Bench) {
    let (mut worker, finished, id) = begun(&bench).await;
    let urgent = bench.add(NewTask { priority: 1, ..send() }).await;
    worker.settle(vec![finished], 1).await;
    assert_eq!(worker.next().await.claim.id, urgent);
    worker.quiet().await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.fence), (TaskState::Ready, 0));
}

pub(super) async fn a_higher_priority_that_is_not_due_does_not_count(bench: Bench) {
    let (mut worker, finished, id) = begun(&bench).await;
    bench.add(NewTask { priority: 1, delay: secs(5), ..send() }).await;
    let older = bench.add(send()).await;
    worker.settle(vec![finished], 1).await;
    assert_eq!(worker.next().await.claim.id, id);
    assert_eq!(bench.state(older).await, TaskState::Ready);
}

pub(super) async fn without_a_free_slot_it_waits(bench: Bench) {
    let (mut worker, finished, id) = begun(&bench).await;
    worker.settle(vec![finished], 0).await;
    worker.quiet().await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.fence, kept.worker), (TaskState::Ready, 0, None));
}

pub(super) async fn a_slot_that_was_free_before_will_do(bench: Bench) {
    let (mut worker, finished, id) = begun(&bench).await;
    worker.free(1);
    worker.settle(vec![finished], 0).await;
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn a_slot_of_another_queue_will_not_do(bench: Bench) {
    let (mut worker, finished, id) = begun(&bench).await;
    worker.free_in("mail", 1);
    worker.settle(vec![finished], 0).await;
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Ready);
}

pub(super) async fn it_takes_a_slot_of_its_own_queue(bench: Bench) {
    let run = bench.start(flow()).await;
    let next = NewTask { queue: "mail".into(), ..step(run, "two") };
    let id = next.id;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.free_in("mail", 1);
    worker.finish_and_free(claim, succeeded(then([next]))).await;
    assert_eq!(worker.next().await.claim.id, id);
    // The slot of the first queue is still free.
    let other = bench.add(send()).await;
    assert_eq!(worker.next().await.claim.id, other);
}

pub(super) async fn one_slot_takes_one(bench: Bench) {
    let run = bench.start(flow()).await;
    let next = [step(run, "two"), step(run, "three")];
    let ids = [next[0].id, next[1].id];
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, succeeded(then(next))).await;
    assert_eq!(worker.next().await.claim.id, ids[0]);
    worker.quiet().await;
    assert_eq!(bench.state(ids[1]).await, TaskState::Ready);
    worker.free(1);
    assert_eq!(worker.next().await.claim.id, ids[1]);
}

pub(super) async fn two_slots_take_two_in_order(bench: Bench) {
    let run = bench.start(flow()).await;
    let next = [step(run, "two"), step(run, "three")];
    let ids = [next[0].id, next[1].id];
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.free(1);
    worker.finish_and_free(claim, succeeded(then(next))).await;
    assert_eq!(super::claim::ids(&worker.take(2).await), ids);
}

pub(super) async fn a_delayed_continuation_waits_for_its_time(bench: Bench) {
    let run = bench.start(flow()).await;
    let next = NewTask { delay: secs(5), ..step(run, "two") };
    let id = next.id;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, succeeded(then([next]))).await;
    worker.quiet().await;
    bench.clock.advance(secs(5));
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn a_continuation_that_it_does_not_know_goes_to_who_does(bench: Bench) {
    let run = bench.start(flow()).await;
    let next = step(run, "two");
    let id = next.id;
    let mut other = bench.worker_knowing(knowing(&[], &["two"])).await;
    let mut worker = bench.worker_knowing(knowing(&[], &["one"])).await;
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, succeeded(then([next]))).await;
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Ready);
    assert_eq!(other.claim().await.claim.id, id);
}

pub(super) async fn what_a_handler_dispatched_is_handed_over_too(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let older = bench.add(send()).await;
    let next = task("ship");
    let id = next.id;
    worker.finish_and_free(claim, succeeded(then([next]))).await;
    assert_eq!(worker.next().await.claim.id, id);
    assert_eq!(bench.state(older).await, TaskState::Ready);
}

pub(super) async fn nothing_follows_a_claim_that_was_lost(bench: Bench) {
    let (mut worker, mut finished, id) = begun(&bench).await;
    finished.claim.fence += 1;
    assert_eq!(worker.settle(vec![finished], 1).await, [Settled::Fenced]);
    worker.quiet().await;
    assert_eq!(bench.find(id).await, None);
}

pub(super) async fn a_worker_that_was_detached_is_handed_nothing(bench: Bench) {
    let (mut worker, finished, id) = begun(&bench).await;
    worker.free(1);
    worker.detach().await;
    worker.settle(vec![finished], 1).await;
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Ready);
}

pub(super) async fn a_chain_runs_to_its_end_from_hand_to_hand(bench: Bench) {
    let run = bench.start(flow()).await;
    let mut worker = bench.worker().await;
    let mut claimed = worker.claim().await;
    for name in ["two", "three", "four"] {
        let next = step(run, name);
        let id = next.id;
        worker.finish_and_free(claimed.claim, succeeded(then([next]))).await;
        claimed = worker.next().await;
        assert_eq!((claimed.claim.id, claimed.claim.fence), (id, 1));
    }
    worker.finish_and_free(claimed.claim, succeeded(done("4"))).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.output.as_deref()), (RunState::Succeeded, Some(&b"4"[..])));
    // The slot is free for anything else.
    let other = bench.add(send()).await;
    let claimed = worker.next().await;
    assert_eq!(claimed.claim.id, other);
    worker.finish(claimed.claim, ok()).await;
}
