//! What has ended, or can't be read, is taken away.

use crate::id::{RunId, TaskId};
use crate::store::{Finished, Follow, LogLine, NewRun, NewTask, Notes, OnKey, RunState, TaskState};

use super::bench::{Bench, done, failed, flow, ok, send, step, succeeded, then, undecodable};
use super::parts::{begun, each, for_each, inner, runs};
use super::terms::keyed;

pub(super) async fn a_task_that_has_ended_goes_with_all_that_is_its(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let lines = vec![LogLine { at: bench.now(), fence: 1, text: "hello".to_owned() }];
    let notes = Notes { progress: None, lines };
    worker.settle(vec![Finished { claim, verdict: failed(Follow::default()), notes }], 0).await;
    assert_eq!(bench.store.discard(vec![claim.id.into()]).await, Ok(1));
    assert_eq!(bench.find(claim.id).await, None);
    assert_eq!(bench.store.log(claim.id).await, Ok(Vec::new()));
    assert_eq!(bench.store.attempts(claim.id).await, Ok(Vec::new()));
    assert_eq!(bench.all_tasks().await, Vec::new());
    assert_eq!(bench.store.discard(vec![claim.id.into()]).await, Ok(0));
}

pub(super) async fn a_parked_task_goes(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, undecodable()).await;
    let ended = bench.store.ended(id.into());
    assert_eq!(bench.store.discard(vec![id.into()]).await, Ok(1));
    ended.await.unwrap();
    let mut other = bench.worker().await;
    other.free(1);
    other.quiet().await;
}

pub(super) async fn what_is_live_stays(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let ready = bench.add(send()).await;
    let ids = vec![run.into(), ready.into(), claim.id.into(), TaskId::new().into(), RunId::new().into()];
    assert_eq!(bench.store.discard(ids).await, Ok(0));
    worker.finish(claim, succeeded(then([step(run, "two")]))).await;
    assert_eq!(bench.store.discard(vec![claim.id.into()]).await, Ok(0), "a step goes with its run");
    assert_eq!(bench.state(claim.id).await, TaskState::Succeeded);
}

pub(super) async fn a_run_goes_whole(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker
        .finish(claim, succeeded(Follow { output: Some(b"1".to_vec()), ..for_each(each(run, "two", 3, Some(1))) }))
        .await;
    worker.free(3);
    for _ in 0..3 {
        let claim = worker.next().await.claim;
        worker.finish(claim, ok()).await;
    }
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    assert_eq!(bench.store.discard(vec![run.into()]).await, Ok(1), "a run is one piece of work");
    assert_eq!(bench.store.run(run).await, Ok(None));
    assert_eq!(bench.all_tasks().await, Vec::new());
}

pub(super) async fn their_keys_are_free_again(bench: Bench) {
    let task = bench.add(keyed("k", OnKey::Return, send())).await;
    let run = bench.start(NewRun { key: Some("k".to_owned()), ..flow() }).await;
    let mut worker = bench.worker().await;
    for verdict in [ok(), succeeded(done("1"))] {
        let claim = worker.claim().await.claim;
        worker.finish(claim, verdict).await;
    }
    assert_eq!(bench.store.discard(vec![task.into(), run.into()]).await, Ok(2));
    bench.add(keyed("k", OnKey::Refuse, send())).await;
    bench.start(NewRun { key: Some("k".to_owned()), ..flow() }).await;
}

pub(super) async fn an_ended_run_within_a_live_one_goes(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    let within = inner(run);
    let id = within.id;
    worker.finish_and_free(claim, succeeded(runs(within))).await;
    let first = worker.next().await.claim;
    worker.finish_and_free(first, succeeded(done("1"))).await;
    let step = worker.next().await;
    assert_eq!(bench.store.discard(vec![id.into()]).await, Ok(1));
    worker.finish(step.claim, succeeded(done("2"))).await;
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn a_parked_item_leaves_its_turn(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let run = RunId::new();
    let mut items = each(run, "two", 2, Some(1));
    for item in &mut items.tasks {
        *item = NewTask { id: item.id, ..send() };
    }
    let second = items.tasks[1].id;
    worker.finish_and_free(claim, succeeded(for_each(items))).await;
    let first = worker.next().await.claim;
    worker.finish(first, undecodable()).await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.store.discard(vec![first.id.into()]).await, Ok(1));
    assert_eq!(worker.next().await.claim.id, second);
}
