#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::*;
use crate::schedule::SystemClock;

fn task(delay: Duration) -> NewWork {
    NewWork::Task(crate::store::NewTask {
        terms: None,
        id: TaskId::new(),
        name: "send".into(),
        queue: "default".into(),
        priority: 0,
        delay,
        at: None,
        payload: b"null".to_vec(),
        key: None,
        correlation: None,
        parent: None,
        of: None,
        cancel_routed: false,
        wait: None,
        visits: None,
        was: &[],
    })
}

fn worker() -> WorkerInfo {
    let mut knows = crate::store::Known::default();
    knows.tasks.insert("send".to_owned());
    WorkerInfo {
        queues: Vec::new(),
        id: WorkerId::new(),
        place: "here".to_owned(),
        lease: Duration::from_secs(1),
        knows,
    }
}

#[tokio::test]
async fn the_timer_brings_a_delayed_task_by_the_systems_clock() {
    let store = MemoryStore::new(Arc::new(SystemClock));
    let (inbox, mut deliveries) = tokio::sync::mpsc::unbounded_channel();
    let info = worker();
    let id = info.id;
    store.attach(info, inbox).await.unwrap();
    store.settle(id, Vec::new(), vec![("default".to_owned(), 1)]);
    // The second is due earlier than the timer expects after the first.
    store.dispatch(vec![task(Duration::from_hours(1))]).await.unwrap();
    let soon = store.dispatch(vec![task(Duration::from_millis(20))]).await.unwrap();
    let delivery = tokio::time::timeout(Duration::from_secs(20), deliveries.recv()).await.unwrap();
    let Some(Delivery::Claimed(claimed)) = delivery else { panic!("no claim: {delivery:?}") };
    assert_eq!(WorkId::from(claimed[0].claim.id), soon[0].id);
}

#[tokio::test]
async fn a_dropped_store_ends_its_timer_and_its_waiters() {
    let store = MemoryStore::new(Arc::new(SystemClock));
    let shared: Weak<Shared> = Arc::downgrade(&store.shared);
    let added = store.dispatch(vec![task(Duration::from_hours(1))]).await.unwrap();
    let ended = store.ended(added[0].id);
    drop(store);
    assert_eq!(ended.await, Err(StoreError::Closed));
    assert_eq!(shared.strong_count(), 0);
}

#[tokio::test]
async fn a_dropped_waiter_leaves_nothing_behind() {
    let store = MemoryStore::new(Arc::new(SystemClock));
    let added = store.dispatch(vec![task(Duration::ZERO)]).await.unwrap();
    let waiters: Vec<_> = (0..10).map(|_| store.ended(added[0].id)).collect();
    assert_eq!(store.shared.lock().waiters.by_work.len(), 10);
    drop(waiters);
    assert_eq!(store.shared.lock().waiters.by_work.len(), 0);
}
