//! The lives of workers: signs of life, leaving, and being taken for dead.

use std::sync::Arc;

use crate::failure::FailureKind;
use crate::id::WorkerId;
use crate::store::{Beat, Peer, Settled, TaskState};

use super::bench::{Bench, everything, flow, ok, secs, send, works};
use super::worker::TestWorker;

pub(super) async fn a_worker_is_listed_while_it_lives(bench: Bench) {
    assert_eq!(bench.store.workers().await, Ok(Vec::new()));
    let place = "host-1 '\"<>\n pid 7";
    let worker = TestWorker::attach(Arc::clone(&bench.store), place, everything()).await;
    let expected = Peer { id: worker.id, place: place.to_owned(), beat: 0, lease: secs(30) };
    assert_eq!(bench.store.workers().await.unwrap(), [expected]);
    worker.retire().await;
    assert_eq!(bench.store.workers().await, Ok(Vec::new()));
}

pub(super) async fn each_worker_is_listed(bench: Bench) {
    let workers = [bench.worker().await, bench.worker().await, bench.worker().await];
    assert_eq!(bench.store.workers().await.unwrap().len(), 3);
    workers[1].retire().await;
    let listed: Vec<WorkerId> = bench.store.workers().await.unwrap().into_iter().map(|peer| peer.id).collect();
    assert!(listed.contains(&workers[0].id) && listed.contains(&workers[2].id) && listed.len() == 2);
}

pub(super) async fn a_beat_is_counted(bench: Bench) {
    let worker = bench.worker().await;
    for beat in 1..=3 {
        assert_eq!(worker.beat().await, Beat::Alive(Vec::new()));
        assert_eq!(worker.peer().await.beat, beat);
    }
}

pub(super) async fn a_worker_that_is_not_listed_has_lapsed(bench: Bench) {
    assert_eq!(bench.store.beat(WorkerId::new()).await, Ok(Beat::Lapsed));
    let worker = bench.worker().await;
    bench.store.reclaim(vec![worker.peer().await]).await.unwrap();
    assert_eq!(worker.beat().await, Beat::Lapsed);
    assert_eq!(bench.store.workers().await, Ok(Vec::new()));
}

pub(super) async fn a_dead_workers_tasks_are_ready_with_one_crash_more(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = TestWorker::attach(Arc::clone(&bench.store), "host-9", everything()).await;
    let claim = worker.claim().await.claim;
    bench.clock.advance(secs(90));
    assert_eq!(bench.store.reclaim(vec![worker.peer().await]).await.unwrap(), [id]);
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.worker, kept.run_at), (TaskState::Ready, None, bench.now()));
    assert_eq!((kept.failures, kept.crashes, kept.interrupts, kept.fence), (0, 1, 0, 1));
    let attempts = bench.store.attempts(id).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].fence, attempts[0].at), (1, claim.fence, bench.now()));
    assert_eq!((attempts[0].report.kind, attempts[0].report.task.as_str()), (FailureKind::Crash, "send"));
    assert!(attempts[0].report.message.contains("host-9"), "it says where: {}", attempts[0].report.message);
}

pub(super) async fn a_waiting_worker_takes_over_at_once(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.claim().await;
    let mut other = bench.worker().await;
    other.free(1);
    bench.store.reclaim(vec![worker.peer().await]).await.unwrap();
    let claimed = other.next().await;
    assert_eq!((claimed.claim.id, claimed.claim.fence, claimed.crashes), (id, 2, 1));
    assert_eq!(other.finish(claimed.claim, ok()).await, Settled::Committed);
}

pub(super) async fn a_sign_of_life_keeps_the_claims(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let seen = worker.peer().await;
    worker.beat().await;
    assert_eq!(bench.store.reclaim(vec![seen]).await, Ok(Vec::new()));
    assert_eq!(bench.state(id).await, TaskState::Running);
    assert_eq!(worker.beat().await, Beat::Alive(Vec::new()));
    assert_eq!(worker.finish(claim, ok()).await, Settled::Committed);
}

pub(super) async fn a_worker_is_reclaimed_once(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.claim().await;
    let seen = worker.peer().await;
    let twice = vec![seen.clone(), seen.clone()];
    assert_eq!(bench.store.reclaim(twice).await.unwrap(), [id]);
    assert_eq!(bench.store.reclaim(vec![seen]).await, Ok(Vec::new()));
    assert_eq!(bench.task(id).await.crashes, 1);
}

pub(super) async fn a_worker_that_never_lived_has_nothing_to_reclaim(bench: Bench) {
    let stranger = Peer { id: WorkerId::new(), place: "nowhere".to_owned(), beat: 0, lease: secs(1) };
    assert_eq!(bench.store.reclaim(vec![stranger]).await, Ok(Vec::new()));
    assert_eq!(bench.store.reclaim(Vec::new()).await, Ok(Vec::new()));
}

pub(super) async fn several_dead_workers_are_reclaimed_in_one_call(bench: Bench) {
    let mut peers = Vec::new();
    let mut expected = Vec::new();
    for _ in 0..3 {
        let mut worker = bench.worker().await;
        bench.store.dispatch(works([send(), send()])).await.unwrap();
        worker.free(2);
        expected.extend(super::claim::ids(&worker.take(2).await));
        peers.push(worker.peer().await);
    }
    // One of them is alive after all.
    peers[1].beat += 1;
    let spared: Vec<_> = expected.drain(2..4).collect();
    let mut reclaimed = bench.store.reclaim(peers).await.unwrap();
    reclaimed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(reclaimed, expected);
    for id in spared {
        assert_eq!(bench.state(id).await, TaskState::Running);
    }
}

pub(super) async fn only_what_it_still_had_is_reclaimed(bench: Bench) {
    bench.store.dispatch(works([send(), send(), send()])).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(2);
    let claimed = worker.take(2).await;
    worker.finish(claimed[0].claim, ok()).await;
    let reclaimed = bench.store.reclaim(vec![worker.peer().await]).await.unwrap();
    assert_eq!(reclaimed, [claimed[1].claim.id]);
    assert_eq!(bench.state(claimed[0].claim.id).await, TaskState::Succeeded);
}

pub(super) async fn a_dead_workers_free_slots_die_with_it(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(5);
    bench.store.reclaim(vec![worker.peer().await]).await.unwrap();
    let id = bench.add(send()).await;
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Ready);
}

pub(super) async fn a_run_goes_on_after_its_worker_died(bench: Bench) {
    let run = bench.start(flow()).await;
    let mut worker = bench.worker().await;
    worker.claim().await;
    bench.store.reclaim(vec![worker.peer().await]).await.unwrap();
    assert_eq!(bench.run(run).await.open_tasks, 1);
    let mut other = bench.worker().await;
    let claimed = other.claim().await;
    assert_eq!(claimed.of.unwrap().run, run);
}

pub(super) async fn who_dies_with_its_worker_again_waits_longer_each_time(bench: Bench) {
    let ids = [bench.add(send()).await, bench.add(send()).await];
    let (mut last, mut together) = ([secs(0); 2], true);
    for crash in 1..=7 {
        let mut worker = bench.worker().await;
        worker.free(2);
        worker.take(2).await;
        bench.store.reclaim(vec![worker.peer().await]).await.unwrap();
        let pauses = [bench.task(ids[0]).await, bench.task(ids[1]).await].map(|kept| {
            assert_eq!((kept.state, kept.crashes, kept.failures), (TaskState::Ready, crash, 0));
            bench.now().until(kept.run_at)
        });
        if crash == 1 {
            assert_eq!(pauses, last, "the first time it may be anybody's fault");
        } else {
            assert!(pauses[0] > last[0] && pauses[1] > last[1], "{pauses:?} after {last:?}");
            together &= pauses[0] == pauses[1];
        }
        last = pauses;
        bench.clock.advance(secs(60));
    }
    assert!(!together, "the innocent would die with the guilty each time");
}

pub(super) async fn a_worker_that_leaves_hands_its_tasks_back(bench: Bench) {
    bench.store.dispatch(works([send(), send()])).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(2);
    let claimed = worker.take(2).await;
    worker.finish(claimed[0].claim, ok()).await;
    worker.retire().await;
    let kept = bench.task(claimed[1].claim.id).await;
    assert_eq!((kept.state, kept.worker, kept.run_at), (TaskState::Ready, None, bench.now()));
    assert_eq!((kept.failures, kept.crashes, kept.interrupts), (0, 0, 1));
    assert!(bench.store.attempts(kept.id).await.unwrap().is_empty());
    let mut other = bench.worker().await;
    assert_eq!(other.claim().await.claim.id, kept.id);
    worker.retire().await;
}

pub(super) async fn a_worker_that_is_detached_claims_no_more(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(3);
    let first = bench.add(send()).await;
    worker.detach().await;
    // What was claimed before is in the inbox already.
    let claimed = worker.next().await;
    assert_eq!(claimed.claim.id, first);
    let second = bench.add(send()).await;
    worker.quiet().await;
    worker.finish_and_free(claimed.claim, ok()).await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.state(second).await, TaskState::Ready);
    assert_eq!(worker.peer().await.id, worker.id, "it is still listed");
    let mut other = bench.worker().await;
    assert_eq!(other.claim().await.claim.id, second);
}

pub(super) async fn what_a_detached_worker_holds_stays_its_own(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.detach().await;
    assert_eq!(worker.beat().await, Beat::Alive(Vec::new()));
    bench.cancel(claim.id).await;
    assert_eq!(worker.told().await, claim);
    assert_eq!(worker.finish(claim, ok()).await, Settled::Committed);
}

pub(super) async fn who_was_never_there_may_leave(bench: Bench) {
    assert_eq!(bench.store.detach(WorkerId::new()).await, Ok(()));
    assert_eq!(bench.store.retire(WorkerId::new()).await, Ok(()));
}

pub(super) async fn a_new_life_is_not_the_old_one(bench: Bench) {
    let id = bench.add(send()).await;
    let mut old = bench.worker().await;
    old.claim().await;
    // The same process starts again; its old claims are not the new worker's.
    let mut new = bench.worker().await;
    assert_eq!(new.beat().await, Beat::Alive(Vec::new()));
    new.free(1);
    new.quiet().await;
    bench.store.reclaim(vec![old.peer().await]).await.unwrap();
    assert_eq!(new.next().await.claim.id, id);
}
