//! Idempotency keys.

use std::collections::HashSet;

use crate::id::WorkId;
use crate::store::{Follow, NewRun, NewTask, NewWork, RunState, TaskState, Verdict};

use super::bench::{
    Bench, cancelled, done, failed, flow, knowing, ok, on_threads, send, step, succeeded, task, then, works,
};

fn keyed(name: &'static str, key: &str) -> NewTask {
    NewTask { key: Some(key.to_owned()), ..task(name) }
}

fn keyed_run(key: &str) -> NewRun {
    NewRun { key: Some(key.to_owned()), ..flow() }
}

pub(super) async fn a_taken_key_gives_the_work_that_has_it(bench: Bench) {
    let id = bench.add(keyed("send", "k")).await;
    let again = keyed("send", "k");
    let other = again.id;
    let dispatched = bench.store.dispatch(works([again])).await.unwrap();
    assert_eq!((dispatched[0].id, dispatched[0].existing), (id.into(), true));
    assert_eq!(bench.find(other).await, None);
}

pub(super) async fn a_key_belongs_to_a_name(bench: Bench) {
    bench.add(keyed("send", "k")).await;
    bench.add(keyed("charge", "k")).await;
    bench.add(keyed("send", "K")).await;
    assert_eq!(bench.all_tasks().await.len(), 3);
}

pub(super) async fn work_without_a_key_is_always_new(bench: Bench) {
    bench.add(send()).await;
    bench.add(send()).await;
}

pub(super) async fn two_in_one_call_are_one(bench: Bench) {
    let (first, second) = (keyed("send", "k"), keyed("send", "k"));
    let id = WorkId::from(first.id);
    let dispatched = bench.store.dispatch(works([first, second])).await.unwrap();
    assert_eq!((dispatched[0].id, dispatched[0].existing), (id, false));
    assert_eq!((dispatched[1].id, dispatched[1].existing), (id, true));
    assert_eq!(bench.all_tasks().await.len(), 1);
}

pub(super) async fn a_taken_key_does_not_keep_the_others_out(bench: Bench) {
    bench.add(keyed("send", "k")).await;
    let other = send();
    let id = other.id;
    let dispatched = bench.store.dispatch(works([keyed("send", "k"), other])).await.unwrap();
    assert!(dispatched[0].existing && !dispatched[1].existing);
    assert_eq!(bench.state(id).await, TaskState::Ready);
}

pub(super) async fn a_key_stays_taken_when_its_task_ends(bench: Bench) {
    let ends: [(Verdict, TaskState); 3] = [
        (ok(), TaskState::Succeeded),
        (failed(Follow::default()), TaskState::Failed),
        (cancelled(Follow::default()), TaskState::Cancelled),
    ];
    let mut worker = bench.worker().await;
    for (verdict, state) in ends {
        let key = state.as_str();
        let id = bench.add(keyed("send", key)).await;
        let claimed = worker.claim().await;
        worker.finish(claimed.claim, verdict).await;
        assert_eq!(bench.state(id).await, state);
        let dispatched = bench.store.dispatch(works([keyed("send", key)])).await.unwrap();
        assert_eq!((dispatched[0].id, dispatched[0].existing), (id.into(), true));
    }
}

pub(super) async fn a_parked_task_keeps_its_key(bench: Bench) {
    let id = bench.add(keyed("send", "k")).await;
    let worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    worker.free(1);
    worker.beat().await;
    assert_eq!(bench.state(id).await, TaskState::Parked);
    let dispatched = bench.store.dispatch(works([keyed("send", "k")])).await.unwrap();
    assert_eq!((dispatched[0].id, dispatched[0].existing), (id.into(), true));
}

pub(super) async fn a_taken_key_of_a_run_gives_the_run_that_has_it(bench: Bench) {
    let id = bench.start(keyed_run("k")).await;
    let again = keyed_run("k");
    let first = again.first.id;
    let dispatched = bench.store.dispatch(vec![NewWork::Run(Box::new(again))]).await.unwrap();
    assert_eq!((dispatched[0].id, dispatched[0].existing), (id.into(), true));
    assert_eq!(bench.find(first).await, None, "the first task is not added without its run");
}

pub(super) async fn a_key_stays_taken_when_its_run_ends(bench: Bench) {
    let id = bench.start(keyed_run("k")).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    worker.finish(claimed.claim, succeeded(done("1"))).await;
    assert_eq!(bench.run_state(id).await, RunState::Succeeded);
    let dispatched = bench.store.dispatch(vec![NewWork::Run(Box::new(keyed_run("k")))]).await.unwrap();
    assert_eq!((dispatched[0].id, dispatched[0].existing), (id.into(), true));
}

pub(super) async fn keys_of_tasks_and_of_runs_are_apart(bench: Bench) {
    bench.add(keyed("flow", "k")).await;
    bench.start(keyed_run("k")).await;
}

pub(super) async fn a_continuation_whose_key_is_taken_is_not_counted(bench: Bench) {
    let other = bench.add(NewTask { queue: "elsewhere".into(), ..keyed("send", "k") }).await;
    let run = bench.start(flow()).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    let next = NewTask { key: Some("k".to_owned()), ..step(run, "two") };
    let follow = Follow { output: Some(b"1".to_vec()), ..then([next]) };
    worker.finish(claimed.claim, succeeded(follow)).await;
    let ended = bench.run(run).await;
    assert_eq!((ended.state, ended.open_tasks), (RunState::Succeeded, 0));
    assert_eq!(bench.state(other).await, TaskState::Ready);
}

pub(super) async fn eight_threads_at_once_make_one_task_of_each_key(bench: Bench) {
    const KEYS: usize = 200;
    let store = bench.store.clone();
    let answers = on_threads(8, move |_| {
        let store = store.clone();
        async move {
            let asked = (0..KEYS).map(|key| store.dispatch(works([keyed("send", &format!("k{key}"))])));
            // All at once: each on a task of its own.
            let asked: Vec<_> = asked.map(tokio::spawn).collect();
            let mut answers = Vec::with_capacity(KEYS);
            for reply in asked {
                answers.push(reply.await.unwrap().unwrap()[0]);
            }
            answers
        }
    })
    .await;
    for key in 0..KEYS {
        let ids: HashSet<WorkId> = answers.iter().map(|thread| thread[key].id).collect();
        assert_eq!(ids.len(), 1, "everybody is given the same task");
        let new = answers.iter().filter(|thread| !thread[key].existing).count();
        assert_eq!(new, 1, "exactly one was first");
    }
    let tasks = bench.all_tasks().await;
    assert_eq!(tasks.len(), KEYS);
    let keys: HashSet<_> = tasks.into_iter().map(|task| task.key).collect();
    assert_eq!(keys.len(), KEYS);
}

pub(super) async fn eight_threads_at_once_make_one_run_of_each_key(bench: Bench) {
    const KEYS: usize = 50;
    let store = bench.store.clone();
    let answers = on_threads(8, move |_| {
        let store = store.clone();
        async move {
            let mut answers = Vec::with_capacity(KEYS);
            for key in 0..KEYS {
                let run = NewWork::Run(Box::new(keyed_run(&format!("k{key}"))));
                answers.push(store.dispatch(vec![run]).await.unwrap()[0]);
            }
            answers
        }
    })
    .await;
    let new = answers.iter().flatten().filter(|one| !one.existing).count();
    let ids: HashSet<WorkId> = answers.iter().flatten().map(|one| one.id).collect();
    assert_eq!((new, ids.len()), (KEYS, KEYS));
    assert_eq!(bench.all_tasks().await.len(), KEYS, "one first task for each");
}
