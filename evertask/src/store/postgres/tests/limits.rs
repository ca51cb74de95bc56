//! Limits as several nodes share them, and what they cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use super::{fill, known, scans, sessions_have_ended, succeeded, task};
use crate::id::TaskId;
use crate::store::postgres::{Place, PostgresStore};
use crate::store::{
    NewTask, NewWork, OnKey, QueueChange, QueueRules, QueueState, Rate, RateLimit, Settled, SlotLimit, Store as _,
    StoreError, TaskState, Terms, Wait,
};
use crate::testing::ManualClock;
use crate::testing::conformance::TestWorker;
use crate::testing::postgres::Schema;

/// How long a worker waits for a task before it looks whether all have ended.
const PATIENCE: Duration = Duration::from_millis(200);

/// Two nodes that share a schema.
async fn two(schema: &Schema) -> [Arc<PostgresStore>; 2] {
    let clock = Arc::new(ManualClock::new());
    two_at(schema, &clock).await
}

async fn two_at(schema: &Schema, clock: &Arc<ManualClock>) -> [Arc<PostgresStore>; 2] {
    let one = PostgresStore::open_with_clock(schema.url(), clock.clone()).await.unwrap();
    let other = PostgresStore::open_with_clock(schema.url(), clock.clone()).await.unwrap();
    [Arc::new(one), Arc::new(other)]
}

async fn rules(store: &PostgresStore, rules: QueueRules) {
    let change = QueueChange { rules: Some(rules), state: None };
    store.change_queue("default".to_owned(), change).await.unwrap();
}

async fn hold(store: &PostgresStore, state: QueueState) {
    let change = QueueChange { rules: None, state: Some(state) };
    store.change_queue("default".to_owned(), change).await.unwrap();
}

fn with(terms: Terms) -> NewTask {
    NewTask { terms: Some(Box::new(terms)), ..task() }
}

fn slotted(most: u32) -> NewTask {
    with(Terms { slots: Some(SlotLimit { bucket: "b".to_owned(), most }), ..Terms::default() })
}

fn a_second(tasks: u32, burst: u32) -> Rate {
    Rate { tasks, per: Duration::from_secs(1), burst }
}

async fn add(store: &PostgresStore, tasks: impl IntoIterator<Item = NewTask>) -> Vec<TaskId> {
    let work: Vec<NewWork> = tasks.into_iter().map(NewWork::Task).collect();
    let added = store.dispatch(work).await.unwrap();
    added.into_iter().map(|dispatched| dispatched.id.uuid().into()).collect()
}

/// Runs all of them on workers of both nodes at once, and says how many ran beside each other at most.
async fn run_all(stores: &[Arc<PostgresStore>; 2], tasks: usize) -> usize {
    let (running, most, ended) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut workers = Vec::new();
    for store in [&stores[0], &stores[1], &stores[0], &stores[1]] {
        let mut worker = TestWorker::attach(store.clone(), "here", known()).await;
        let (running, most, ended) = (running.clone(), most.clone(), ended.clone());
        workers.push(tokio::spawn(async move {
            worker.free(1);
            while ended.load(Ordering::SeqCst) < tasks {
                let Ok(claimed) = tokio::time::timeout(PATIENCE, worker.next()).await else {
                    continue;
                };
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Long enough for the other workers to have their turn.
                worker.beat().await;
                worker.beat().await;
                running.fetch_sub(1, Ordering::SeqCst);
                assert_eq!(worker.finish_and_free(claimed.claim, succeeded(Vec::new())).await, Settled::Committed);
                ended.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(stores[0].verify().await.unwrap(), []);
    most.load(Ordering::SeqCst)
}

#[tokio::test]
async fn no_more_of_a_queue_run_on_all_nodes_than_may() {
    let schema = Schema::new().unwrap();
    let stores = two(&schema).await;
    rules(&stores[0], QueueRules { concurrency: Some(2), ..QueueRules::default() }).await;
    add(&stores[0], (0..120).map(|_| task())).await;
    assert_eq!(run_all(&stores, 120).await, 2);
}

#[tokio::test]
async fn no_more_of_a_bucket_run_on_all_nodes_than_may() {
    let schema = Schema::new().unwrap();
    let stores = two(&schema).await;
    add(&stores[0], (0..120).map(|_| slotted(2))).await;
    assert_eq!(run_all(&stores, 120).await, 2);
}

#[tokio::test]
async fn no_more_start_on_all_nodes_than_the_rate_says() {
    let schema = Schema::new().unwrap();
    let clock = Arc::new(ManualClock::new());
    let stores = two_at(&schema, &clock).await;
    rules(&stores[0], QueueRules { rate: Some(a_second(1, 3)), ..QueueRules::default() }).await;
    add(&stores[0], (0..10).map(|_| task())).await;
    let mut one = TestWorker::attach(stores[0].clone(), "here", known()).await;
    let mut other = TestWorker::attach(stores[1].clone(), "there", known()).await;
    one.free(2);
    assert_eq!(one.take(2).await.len(), 2);
    other.free(9);
    other.next().await;
    other.quiet().await;
    one.free(9);
    one.quiet().await;
    for _ in 0..3 {
        clock.advance(Duration::from_secs(1));
        let came = one.came().await.len() + other.came().await.len();
        assert_eq!(came + one.came().await.len(), 1, "one in a second, whoever gets it");
    }
    assert_eq!(stores[0].verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_time_that_one_node_gives_no_other_gives_too() {
    let schema = Schema::new().unwrap();
    let clock = Arc::new(ManualClock::new());
    let stores = two_at(&schema, &clock).await;
    let limit = RateLimit { bucket: "r".to_owned(), rate: a_second(1, 1) };
    let rated = || with(Terms { rate: Some(limit.clone()), ..Terms::default() });
    let mut given = Vec::new();
    for store in stores.iter().chain(&stores) {
        let ids = add(store, [rated(), rated()]).await;
        let mut worker = TestWorker::attach(store.clone(), "here", known()).await;
        worker.free(2);
        worker.came().await;
        for id in ids {
            let kept = store.task(id).await.unwrap().unwrap();
            given.push(kept.run_at.as_millis());
        }
    }
    let first = given[0];
    assert_eq!(given, (0..8).map(|number| first + number * 1_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn nodes_do_not_fill_a_queue_beyond_its_depth() {
    let schema = Schema::new().unwrap();
    let stores = two(&schema).await;
    // The other node has not heard of it, and finds out.
    rules(&stores[0], QueueRules { depth: Some(25), ..QueueRules::default() }).await;
    let mut dispatches = Vec::new();
    for number in 0..80 {
        let store = stores[number % 2].clone();
        dispatches.push(tokio::spawn(async move { store.dispatch(vec![NewWork::Task(task())]).await }));
    }
    let mut added = 0;
    for dispatch in dispatches {
        match dispatch.await.unwrap() {
            Ok(_) => added += 1,
            Err(error) => assert!(matches!(error, StoreError::QueueFull { .. }), "{error}"),
        }
    }
    assert_eq!(added, 25);
    assert_eq!(stores[1].queues().await.unwrap()[0].due, 25);
}

#[tokio::test]
async fn what_one_node_says_of_a_queue_holds_on_the_other() {
    let schema = Schema::new().unwrap();
    let stores = two(&schema).await;
    let mut worker = TestWorker::attach(stores[1].clone(), "there", known()).await;
    worker.free(3);
    hold(&stores[0], QueueState::Paused).await;
    let ids = add(&stores[1], [task()]).await;
    worker.quiet().await;
    hold(&stores[0], QueueState::Draining).await;
    assert_eq!(worker.next().await.claim.id, ids[0]);
    let refused = stores[1].dispatch(vec![NewWork::Task(task())]).await;
    assert!(matches!(refused, Err(StoreError::QueueFull { .. })), "{refused:?}");
    hold(&stores[0], QueueState::Open).await;
    add(&stores[1], [task()]).await;
    worker.next().await;
}

#[tokio::test]
async fn a_slot_of_another_node_is_waited_for_and_given_on() {
    let schema = Schema::new().unwrap();
    let stores = two(&schema).await;
    let ids = add(&stores[0], [slotted(1), slotted(1), slotted(1)]).await;
    let mut one = TestWorker::attach(stores[0].clone(), "here", known()).await;
    one.free(1);
    let claim = one.next().await.claim;
    let mut other = TestWorker::attach(stores[1].clone(), "there", known()).await;
    other.free(2);
    other.quiet().await;
    let kept = stores[0].task(ids[2]).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.wait), (TaskState::Waiting, Some(Wait::Slot)));
    one.finish(claim, succeeded(Vec::new())).await;
    assert_eq!(other.next().await.claim.id, ids[1]);
    other.quiet().await;
    // Whoever leaves, leaves the slot.
    one.free(1);
    other.retire().await;
    assert_eq!(one.next().await.claim.id, ids[1]);
    assert_eq!(stores[0].verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_key_is_taken_once_whichever_node_is_asked() {
    let schema = Schema::new().unwrap();
    let stores = two(&schema).await;
    for policy in [OnKey::Refuse, OnKey::Replace, OnKey::Renew(Duration::from_hours(1)), OnKey::Return] {
        let key = format!("{policy:?}");
        let mut dispatches = Vec::new();
        for number in 0..60 {
            let store = stores[number % 2].clone();
            let keyed = NewTask { key: Some(key.clone()), ..with(Terms { on_key: policy, ..Terms::default() }) };
            dispatches.push(tokio::spawn(async move { store.dispatch(vec![NewWork::Task(keyed)]).await }));
        }
        let mut new = 0;
        for dispatch in dispatches {
            match dispatch.await.unwrap() {
                Ok(given) => new += usize::from(!given[0].existing),
                Err(error) => {
                    assert!(policy == OnKey::Refuse && matches!(error, StoreError::KeyTaken { .. }), "{error}");
                }
            }
        }
        assert_eq!(new, 1, "{policy:?}");
    }
    assert_eq!(stores[0].verify().await.unwrap(), []);
}

#[tokio::test]
async fn names_of_buckets_may_be_long() {
    let schema = Schema::new().unwrap();
    let store = Arc::new(PostgresStore::open(schema.url()).await.unwrap());
    let name: String = (0..20_000).map(|number: u32| char::from_u32(0x4e00 + number * 7 % 20_000).unwrap()).collect();
    let terms = Terms {
        slots: Some(SlotLimit { bucket: name.clone(), most: 1 }),
        rate: Some(RateLimit { bucket: name, rate: a_second(1_000, 9) }),
        ..Terms::default()
    };
    let ids = add(&store, [with(terms.clone()), with(terms)]).await;
    let mut worker = TestWorker::attach(store.clone(), "here", known()).await;
    worker.free(2);
    let claim = worker.next().await.claim;
    worker.quiet().await;
    assert_eq!(worker.finish(claim, succeeded(Vec::new())).await, Settled::Committed);
    assert_eq!(worker.next().await.claim.id, ids[1]);
}

#[tokio::test]
async fn what_has_ended_costs_limits_nothing() {
    let schema = Schema::new().unwrap();
    let place = Place::parse(schema.url()).unwrap();
    drop(PostgresStore::open(schema.url()).await.unwrap());
    let mut conn = PgConnection::connect_with(&place.options).await.unwrap();
    fill(&mut conn, &place, 20_000).await;
    let before = scans(&mut conn, &place.schema).await;

    let url = format!("{}&application_name={}", schema.url(), place.schema);
    let store = Arc::new(PostgresStore::open(&url).await.unwrap());
    let limited =
        QueueRules { concurrency: Some(5), rate: Some(a_second(1_000, 50)), depth: Some(500), ..QueueRules::default() };
    let queues = vec![("default".to_owned(), limited)];
    let mut worker = TestWorker::declare(store.clone(), "here", known(), queues).await;
    let limit = RateLimit { bucket: "r".to_owned(), rate: a_second(1_000, 9) };
    for round in 0..10 {
        let keyed = |on_key| NewTask { key: Some(format!("k{round}")), ..with(Terms { on_key, ..Terms::default() }) };
        let rated = with(Terms { rate: Some(limit.clone()), ..Terms::default() });
        add(&store, [slotted(1), slotted(1), rated]).await;
        for policy in [OnKey::Replace, OnKey::Replace, OnKey::Renew(Duration::ZERO), OnKey::Return] {
            add(&store, [keyed(policy)]).await;
        }
        let refused = store.dispatch(vec![NewWork::Task(keyed(OnKey::Refuse))]).await;
        assert!(matches!(refused, Err(StoreError::KeyTaken { .. })));
        worker.free(4);
        for claimed in worker.take(4).await {
            assert_eq!(worker.finish_and_free(claimed.claim, succeeded(Vec::new())).await, Settled::Committed);
        }
        let claim = worker.next().await.claim;
        assert_eq!(worker.finish(claim, succeeded(Vec::new())).await, Settled::Committed);
        rules(&store, limited).await;
        assert_eq!(store.queues().await.unwrap().len(), 1);
        store.cancel(crate::store::Selection::Name("send".to_owned())).await.unwrap();
    }
    store.close().await.unwrap();
    drop(worker);
    drop(store);
    sessions_have_ended(&mut conn, &place.schema).await;
    assert_eq!(scans(&mut conn, &place.schema).await, before, "(tasks, runs) were looked through from end to end");
}
