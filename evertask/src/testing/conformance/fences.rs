//! Zombies: a worker that was taken for dead comes back, and nothing that it writes counts.
//!
//! Each script is claim e1, stall, reclaim, perhaps claim e2, then the late write.

use crate::store::{Claim, Finished, LogLine, Notes, Peer, Settled, TaskState, Verdict};

use super::bench::{Bench, every_verdict, ok, retry, secs, send, snoozed, works};
use super::worker::TestWorker;

/// Takes this worker for dead, as its peers do when its lease has lapsed.
async fn reclaim(bench: &Bench, worker: &TestWorker) -> usize {
    let peer: Peer = worker.peer().await;
    bench.clock.advance(peer.lease * 2);
    bench.store.reclaim(vec![peer]).await.unwrap().len()
}

/// A task that a zombie had at e1, and nobody has.
async fn lost(bench: &Bench) -> (TestWorker, Claim) {
    bench.add(send()).await;
    let mut zombie = bench.worker().await;
    let claim = zombie.claim().await.claim;
    assert_eq!(reclaim(bench, &zombie).await, 1);
    (zombie, claim)
}

/// A task that a zombie had at e1, and its owner has at e2.
async fn taken_over(bench: &Bench) -> (TestWorker, Claim, TestWorker, Claim) {
    let (zombie, stale) = lost(bench).await;
    let mut owner = bench.worker().await;
    let claim = owner.claim().await.claim;
    assert_eq!((claim.id, claim.fence), (stale.id, stale.fence + 1));
    (zombie, stale, owner, claim)
}

fn noted(claim: Claim, verdict: Verdict) -> Finished {
    Finished { claim, verdict, notes: late(claim) }
}

fn late(claim: Claim) -> Notes {
    let line = LogLine { at: crate::Timestamp::from_millis(1), fence: claim.fence, text: "late".to_owned() };
    Notes { progress: Some((9, 9)), lines: vec![line] }
}

/// Every late verdict is refused, and changes nothing at all.
async fn every_late_verdict_is_fenced(bench: &Bench, zombie: &mut TestWorker, stale: Claim) {
    let before = bench.all_tasks().await;
    for verdict in every_verdict() {
        let settled = zombie.settle(vec![noted(stale, verdict.clone())], 0).await;
        assert_eq!(settled, [Settled::Fenced], "{verdict:?}");
        assert_eq!(bench.all_tasks().await, before, "{verdict:?}");
    }
    bench.store.note(stale, late(stale)).await.unwrap();
    assert_eq!(bench.all_tasks().await, before);
    assert!(bench.store.log(stale.id).await.unwrap().is_empty());
}

pub(super) async fn claim_stall_reclaim_late(bench: Bench) {
    let (mut zombie, stale) = lost(&bench).await;
    every_late_verdict_is_fenced(&bench, &mut zombie, stale).await;
    assert_eq!(bench.state(stale.id).await, TaskState::Ready);
}

pub(super) async fn claim_stall_reclaim_claim_late(bench: Bench) {
    let (mut zombie, stale, mut owner, claim) = taken_over(&bench).await;
    every_late_verdict_is_fenced(&bench, &mut zombie, stale).await;
    assert_eq!(owner.finish(claim, ok()).await, Settled::Committed);
}

pub(super) async fn claim_stall_reclaim_claim_end_late(bench: Bench) {
    let (mut zombie, stale, mut owner, claim) = taken_over(&bench).await;
    assert_eq!(owner.finish(claim, ok()).await, Settled::Committed);
    every_late_verdict_is_fenced(&bench, &mut zombie, stale).await;
    assert_eq!(bench.state(stale.id).await, TaskState::Succeeded);
}

pub(super) async fn claim_stall_reclaim_claim_retry_late(bench: Bench) {
    let (mut zombie, stale, mut owner, claim) = taken_over(&bench).await;
    assert_eq!(owner.finish(claim, retry(secs(5))).await, Settled::Committed);
    every_late_verdict_is_fenced(&bench, &mut zombie, stale).await;
}

pub(super) async fn claim_stall_reclaim_cancel_late(bench: Bench) {
    let (mut zombie, stale) = lost(&bench).await;
    bench.cancel(stale.id).await;
    every_late_verdict_is_fenced(&bench, &mut zombie, stale).await;
    assert_eq!(bench.state(stale.id).await, TaskState::Cancelled);
}

pub(super) async fn claim_stall_reclaim_claim_cancel_late(bench: Bench) {
    let (mut zombie, stale, mut owner, claim) = taken_over(&bench).await;
    bench.cancel(stale.id).await;
    assert_eq!(owner.told().await, claim, "the owner is told, the zombie is not");
    zombie.quiet().await;
    every_late_verdict_is_fenced(&bench, &mut zombie, stale).await;
}

pub(super) async fn claim_stall_reclaim_twice_late(bench: Bench) {
    let (mut first, e1, mut second, e2) = taken_over(&bench).await;
    assert_eq!(reclaim(&bench, &second).await, 1);
    // Who dies with its worker again waits a little.
    bench.clock.advance(super::bench::secs(9));
    let mut third = bench.worker().await;
    let e3 = third.claim().await.claim;
    assert_eq!(e3.fence, 3);
    every_late_verdict_is_fenced(&bench, &mut second, e2).await;
    every_late_verdict_is_fenced(&bench, &mut first, e1).await;
    assert_eq!(third.finish(e3, ok()).await, Settled::Committed);
    assert_eq!(bench.task(e3.id).await.crashes, 2);
}

pub(super) async fn claim_stall_retire_late(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let stale = worker.claim().await.claim;
    worker.retire().await;
    let mut other = bench.worker().await;
    // Another life of the same process still holds the old claim.
    every_late_verdict_is_fenced(&bench, &mut other, stale).await;
    let claim = other.claim().await.claim;
    every_late_verdict_is_fenced(&bench, &mut other, stale).await;
    assert_eq!(other.finish(claim, ok()).await, Settled::Committed);
}

pub(super) async fn claim_put_back_claim_late(bench: Bench) {
    for back in [retry(secs(0)), snoozed(secs(0)), Verdict::Interrupted] {
        let id = bench.add(send()).await;
        let mut worker = bench.worker().await;
        let stale = worker.claim().await.claim;
        assert_eq!(stale.id, id);
        worker.finish(stale, back).await;
        every_late_verdict_is_fenced(&bench, &mut worker, stale).await;
        let claim = worker.claim().await.claim;
        every_late_verdict_is_fenced(&bench, &mut worker, stale).await;
        assert_eq!(worker.finish(claim, ok()).await, Settled::Committed);
    }
}

pub(super) async fn a_stale_end_beside_the_owners_in_one_call(bench: Bench) {
    for stale_first in [true, false] {
        let (_zombie, stale, mut owner, claim) = taken_over(&bench).await;
        let mut finished = vec![noted(stale, retry(secs(9))), noted(claim, ok())];
        let mut expected = [Settled::Fenced, Settled::Committed];
        if !stale_first {
            finished.reverse();
            expected.reverse();
        }
        assert_eq!(owner.settle(finished, 0).await, expected);
        assert_eq!(bench.state(claim.id).await, TaskState::Succeeded);
    }
}

pub(super) async fn a_fence_of_the_future_is_fenced(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    every_late_verdict_is_fenced(&bench, &mut worker, Claim { fence: claim.fence + 1, ..claim }).await;
    every_late_verdict_is_fenced(&bench, &mut worker, Claim { fence: -1, ..claim }).await;
    assert_eq!(worker.finish(claim, ok()).await, Settled::Committed);
}

pub(super) async fn a_zombie_that_nobody_reclaimed_may_still_end_its_task(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    // Time decides who may try; only the fence decides who may write.
    bench.clock.advance(worker.peer().await.lease * 100);
    assert_eq!(worker.finish(claim, ok()).await, Settled::Committed);
}

pub(super) async fn whoever_has_the_claim_may_end_it(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let mut other = bench.worker().await;
    let claim = worker.claim().await.claim;
    assert_eq!(other.finish(claim, ok()).await, Settled::Committed);
    assert_eq!(bench.state(claim.id).await, TaskState::Succeeded);
}

pub(super) async fn a_zombie_gets_no_new_claims(bench: Bench) {
    let (mut zombie, stale) = lost(&bench).await;
    zombie.free(5);
    bench.store.dispatch(works([send(), send()])).await.unwrap();
    zombie.settle(vec![noted(stale, ok())], 2).await;
    zombie.quiet().await;
    assert!(bench.all_tasks().await.iter().all(|task| task.state == TaskState::Ready));
}

pub(super) async fn a_late_note_is_ignored_and_the_owners_kept(bench: Bench) {
    let (_zombie, stale, _owner, claim) = taken_over(&bench).await;
    bench.store.note(claim, late(claim)).await.unwrap();
    bench.store.note(stale, Notes { progress: Some((1, 9)), lines: late(stale).lines }).await.unwrap();
    assert_eq!(bench.task(claim.id).await.progress, Some((9, 9)));
    assert_eq!(bench.store.log(claim.id).await.unwrap(), late(claim).lines);
}
