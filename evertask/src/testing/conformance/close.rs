//! Replies that nobody waits for, and the end of the store.

use crate::id::{RunId, TaskId, WorkerId};
use crate::store::{
    Claim, Finished, Known, NewWork, Notes, RunFilter, Selection, Settled, StoreError, TaskFilter, TaskState,
    WorkerInfo,
};

use super::bench::{Bench, asked, flow, ok, secs, send, works};

pub(super) async fn a_dropped_reply_does_not_undo_a_dispatch(bench: Bench) {
    let (one, run) = (send(), flow());
    let (task_id, run_id) = (one.id, run.id);
    drop(asked(bench.store.dispatch(vec![NewWork::Task(one), NewWork::Run(Box::new(run))])));
    bench.store.dispatch(works([send()])).await.unwrap();
    assert_eq!(bench.state(task_id).await, TaskState::Ready);
    assert_eq!(bench.run(run_id).await.open_tasks, 1);
}

pub(super) async fn a_dropped_reply_does_not_undo_a_cancel(bench: Bench) {
    let id = bench.add(send()).await;
    drop(asked(bench.store.cancel(Selection::Ids(vec![id.into()]))));
    bench.add(send()).await;
    assert_eq!(bench.state(id).await, TaskState::Cancelled);
}

pub(super) async fn a_dropped_reply_does_not_undo_what_a_worker_asked(bench: Bench) {
    let mut worker = bench.worker().await;
    bench.add(send()).await;
    let claim = worker.claim().await.claim;
    let notes = Notes { progress: Some((1, 2)), lines: Vec::new() };
    drop(asked(bench.store.note(claim, notes)));
    drop(asked(bench.store.beat(worker.id)));
    worker.beat().await;
    assert_eq!(worker.peer().await.beat, 2);
    assert_eq!(bench.task(claim.id).await.progress, Some((1, 2)));
    drop(asked(bench.store.retire(worker.id)));
    bench.add(send()).await;
    assert_eq!(bench.task(claim.id).await.interrupts, 1);
}

pub(super) async fn a_store_that_is_closed_takes_nothing(bench: Bench) {
    let worker = bench.worker().await;
    let peer = worker.peer().await;
    let (store, id) = (&bench.store, bench.add(send()).await);
    store.close().await.unwrap();
    let (inbox, _deliveries) = tokio::sync::mpsc::unbounded_channel();
    let info = WorkerInfo {
        queues: Vec::new(),
        id: WorkerId::new(),
        place: String::new(),
        lease: secs(1),
        knows: Known::default(),
    };
    let claim = Claim { id, fence: 1 };
    assert_eq!(store.dispatch(works([send()])).await, Err(StoreError::Closed));
    assert_eq!(store.attach(info, inbox).await, Err(StoreError::Closed));
    assert_eq!(store.detach(worker.id).await, Err(StoreError::Closed));
    assert_eq!(store.beat(worker.id).await, Err(StoreError::Closed));
    assert_eq!(store.retire(worker.id).await, Err(StoreError::Closed));
    assert_eq!(store.workers().await, Err(StoreError::Closed));
    assert_eq!(store.reclaim(vec![peer]).await, Err(StoreError::Closed));
    assert_eq!(store.cancel(Selection::Ids(vec![id.into()])).await, Err(StoreError::Closed));
    assert_eq!(store.note(claim, Notes::default()).await, Err(StoreError::Closed));
    assert_eq!(store.expire_runs().await, Err(StoreError::Closed));
    assert_eq!(store.task(id).await, Err(StoreError::Closed));
    assert_eq!(store.run(RunId::new()).await, Err(StoreError::Closed));
    assert_eq!(store.tasks(TaskFilter::default()).await, Err(StoreError::Closed));
    assert_eq!(store.runs(RunFilter::default()).await, Err(StoreError::Closed));
    assert_eq!(store.log(id).await, Err(StoreError::Closed));
    assert_eq!(store.attempts(id).await, Err(StoreError::Closed));
    assert_eq!(store.ended(TaskId::new().into()).await, Err(StoreError::Closed));
    assert_eq!(store.verify().await, Err(StoreError::Closed));
}

pub(super) async fn an_end_that_comes_too_late_is_given_back(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    bench.store.close().await.unwrap();
    let finished = vec![Finished { claim, verdict: ok(), notes: Notes::default() }];
    bench.store.settle(worker.id, finished.clone(), vec![("default".to_owned(), 1)]);
    assert_eq!(worker.unsettled().await, (finished, StoreError::Closed));
}

pub(super) async fn what_was_asked_before_is_done(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let dispatch = asked(bench.store.dispatch(works((0..100).map(|_| send()))));
    let finished = Finished { claim, verdict: ok(), notes: Notes::default() };
    bench.store.settle(worker.id, vec![finished], Vec::new());
    bench.store.close().await.unwrap();
    assert_eq!(dispatch.await.map(|dispatched| dispatched.len()), Ok(100));
    assert_eq!(worker.answer().await, (claim, Settled::Committed));
}

pub(super) async fn nobody_waits_for_a_closed_store(bench: Bench) {
    let id = bench.add(send()).await;
    let waiter = asked(bench.store.ended(id.into()));
    bench.store.close().await.unwrap();
    // Early or refused, but answered.
    drop(waiter.await);
}

pub(super) async fn a_closed_store_does_not_mind_its_clock(bench: Bench) {
    bench.add(crate::store::NewTask { delay: secs(5), ..send() }).await;
    let mut worker = bench.worker().await;
    worker.free(1);
    worker.beat().await;
    bench.store.close().await.unwrap();
    bench.clock.advance(secs(10));
    let finished =
        vec![Finished { claim: Claim { id: TaskId::new(), fence: 1 }, verdict: ok(), notes: Notes::default() }];
    bench.store.settle(worker.id, finished.clone(), Vec::new());
    assert_eq!(worker.unsettled().await, (finished, StoreError::Closed), "nothing was claimed before this");
}
