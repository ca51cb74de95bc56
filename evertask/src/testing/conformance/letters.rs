//! Tasks that have failed for good are tried again.

use crate::id::TaskId;
use crate::store::{
    Edited, Follow, LogLine, NewTask, NewWork, Notes, RateLimit, Revived, Settled, SlotLimit, TaskState,
};

use super::bench::{Bench, failed, flow, ok, retry, secs, send, task, then};
use super::terms::{a_second, rated, slotted, within};
use super::worker::TestWorker;

impl Bench {
    pub(super) async fn revive(&self, ids: &[TaskId]) -> Vec<Revived> {
        let answers = self.store.revive(ids.to_vec(), None).await.expect("the revival is answered");
        assert_eq!(answers.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids, "one answer for each, in order");
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

/// A task that has failed for good after one retry.
async fn dead(bench: &Bench, task: NewTask) -> (TaskId, TestWorker) {
    let id = bench.add(task).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish_and_free(claim, retry(secs(0))).await;
    let claim = worker.next().await.claim;
    worker.finish(claim, failed(Follow::default())).await;
    assert_eq!(bench.state(id).await, TaskState::Failed);
    (id, worker)
}

pub(super) async fn it_is_ready_again_with_all_that_was_before(bench: Bench) {
    let (id, mut worker) = dead(&bench, within(secs(9), send())).await;
    bench.clock.advance(secs(50));
    assert_eq!(bench.revive(&[id]).await, [Revived::Ready]);
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.run_at, kept.finished_at), (TaskState::Ready, bench.now(), None));
    assert_eq!((kept.failures, kept.crashes, kept.fence, kept.deadline), (0, 0, 2, None));
    assert_eq!((kept.failure.is_some(), kept.error), (true, None));
    assert_eq!(bench.store.attempts(id).await.unwrap().len(), 2, "the attempts stay");
    let claimed = worker.claim().await;
    assert_eq!((claimed.claim.id, claimed.claim.fence, claimed.failures), (id, 3, 0));
    assert_eq!(worker.finish(claimed.claim, ok()).await, Settled::Committed);
    assert_eq!(bench.state(id).await, TaskState::Succeeded);
}

pub(super) async fn it_may_get_another_payload(bench: Bench) {
    let (id, mut worker) = dead(&bench, send()).await;
    let edited = Edited { payload: b"[2]".to_vec(), ..Edited::default() };
    let answers = bench.store.revive(vec![id], Some(edited)).await.unwrap();
    assert_eq!(answers, [(id, Revived::Ready)]);
    assert_eq!(worker.claim().await.payload, b"[2]");
}

pub(super) async fn another_payload_has_its_own_limits(bench: Bench) {
    let rate = a_second(1, 1);
    let (id, mut worker) = dead(&bench, slotted("old", 1, send())).await;
    for bucket in ["old", "new"] {
        bench.add(slotted(bucket, 1, rated(bucket, rate, send()))).await;
    }
    worker.free(2);
    let (old, new) = (worker.next().await.claim, worker.next().await.claim);
    let slots = Some(SlotLimit { bucket: "new".to_owned(), most: 1 });
    let limit = Some(RateLimit { bucket: "new".to_owned(), rate });
    let edited = Edited { payload: b"[2]".to_vec(), rate: limit, slots };
    assert_eq!(bench.store.revive(vec![id], Some(edited)).await, Ok(vec![(id, Revived::Ready)]));
    worker.free(1);
    worker.quiet().await;
    worker.finish(old, ok()).await;
    worker.quiet().await;
    worker.finish(new, ok()).await;
    worker.quiet().await;
    assert_eq!(bench.task(id).await.run_at, bench.later(secs(1)), "there is a slot, and it has its time");
    bench.clock.advance(secs(1));
    let claimed = worker.next().await;
    assert_eq!((claimed.claim.id, &claimed.payload[..]), (id, &b"[2]"[..]));
    worker.finish(claimed.claim, failed(Follow::default())).await;
    assert_eq!(bench.store.revive(vec![id], Some(Edited::default())).await, Ok(vec![(id, Revived::Ready)]));
    assert_eq!(worker.claim().await.claim.id, id, "it has no limits any more");
}

pub(super) async fn a_waiting_worker_gets_it_at_once(bench: Bench) {
    let (id, mut worker) = dead(&bench, send()).await;
    worker.free(1);
    worker.quiet().await;
    bench.revive(&[id]).await;
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn it_may_fail_and_be_tried_again_and_again(bench: Bench) {
    let (id, mut worker) = dead(&bench, send()).await;
    for round in 0..3 {
        assert_eq!(bench.revive(&[id]).await, [Revived::Ready]);
        let claimed = worker.claim().await;
        assert_eq!((claimed.failures, claimed.claim.fence), (0, 3 + round));
        worker.finish(claimed.claim, failed(Follow::default())).await;
    }
    assert_eq!(bench.store.attempts(id).await.unwrap().len(), 5);
}

pub(super) async fn only_what_has_failed_is_tried_again(bench: Bench) {
    let (id, mut worker) = dead(&bench, send()).await;
    let ready = bench.add(send()).await;
    let running = worker.claim().await.claim.id;
    assert_eq!(running, ready);
    let cancelled = bench.add(send()).await;
    bench.cancel(cancelled).await;
    let none = TaskId::new();
    let answers = bench.revive(&[none, ready, cancelled, id]).await;
    assert_eq!(answers, [Revived::NotFound, Revived::NotFailed, Revived::NotFailed, Revived::Ready]);
    assert_eq!(bench.revive(&[id]).await, [Revived::NotFailed], "it waits already");
    assert_eq!(bench.revive(&[]).await, []);
}

pub(super) async fn what_something_has_followed_is_left_alone(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, failed(then([task("ship")]))).await;
    assert_eq!(bench.revive(&[claim.id]).await, [Revived::Followed]);
    assert_eq!(bench.state(claim.id).await, TaskState::Failed);
    bench.add(NewTask { priority: 9, ..send() }).await;
    let claim = worker.claim().await.claim;
    let run = Follow { work: vec![NewWork::Run(Box::new(flow()))], ..Follow::default() };
    worker.finish(claim, failed(run)).await;
    assert_eq!(bench.revive(&[claim.id]).await, [Revived::Followed]);
}

pub(super) async fn a_late_end_of_an_attempt_before_changes_nothing(bench: Bench) {
    let (id, mut worker) = dead(&bench, send()).await;
    bench.revive(&[id]).await;
    let claim = worker.claim().await.claim;
    let before = crate::store::Claim { id, fence: claim.fence - 1 };
    assert_eq!(worker.finish(before, ok()).await, Settled::Fenced);
    assert_eq!(worker.finish(claim, ok()).await, Settled::Committed);
}

pub(super) async fn its_log_stays(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let lines = vec![LogLine { at: bench.now(), fence: 1, text: "hello".to_owned() }];
    bench.store.note(claim, Notes { progress: None, lines }).await.unwrap();
    worker.finish(claim, failed(Follow::default())).await;
    bench.revive(&[claim.id]).await;
    assert_eq!(bench.store.log(claim.id).await.unwrap().len(), 1);
}

pub(super) async fn its_limits_hold_again(bench: Bench) {
    let (id, mut worker) = dead(&bench, slotted("b", 1, send())).await;
    bench.add(slotted("b", 1, send())).await;
    let claim = worker.claim().await.claim;
    bench.revive(&[id]).await;
    worker.free(1);
    worker.quiet().await;
    worker.finish(claim, ok()).await;
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn a_clock_that_went_on_gives_it_its_own_rank(bench: Bench) {
    let (id, mut worker) = dead(&bench, send()).await;
    let other = bench.add(send()).await;
    bench.clock.advance(secs(1));
    bench.revive(&[id]).await;
    worker.free(2);
    assert_eq!(super::claim::ids(&worker.take(2).await), [other, id], "it comes after what waited before");
}
