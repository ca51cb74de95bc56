//! Dispatching in a transaction of sqlx.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evertask::sqlx::postgres::PgPoolOptions;
use evertask::sqlx::{self, PgPool, Row as _};
use evertask::store::{StoreError, TaskFilter};
use evertask::testing::postgres::{Schema, server};
use evertask::{DispatchError, Dispatcher, OnKey, prelude::*};
use tokio::sync::Barrier;

use crate::effects::{outfit, start};
use crate::race::{KEYS, RIVALS, check, commits, key_of};
use crate::{DoubleAndOne, double};

/// A store, and tables of somebody's own in another schema of the database.
pub(crate) struct Market {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) pool: PgPool,
    pub(crate) schema: Schema,
}

impl Market {
    pub(crate) async fn open() -> Self {
        let schema = Schema::new().unwrap();
        let dispatcher = Dispatcher::open(schema.url()).await.unwrap();
        let pool = PgPoolOptions::new().max_connections(16).connect(&server().unwrap()).await.unwrap();
        sqlx::query("CREATE TABLE IF NOT EXISTS sale (id uuid PRIMARY KEY, amount bigint)")
            .execute(&pool)
            .await
            // Two tests at once may both find none.
            .ok();
        Self { dispatcher, pool, schema }
    }

    pub(crate) async fn sold(&self, id: uuid::Uuid) -> bool {
        sqlx::query("SELECT 1 FROM sale WHERE id = $1").bind(id).fetch_optional(&self.pool).await.unwrap().is_some()
    }
}

async fn sell(tx: &mut sqlx::Transaction<'_, sqlx::Postgres>) -> uuid::Uuid {
    let id = evertask::TaskId::new().uuid();
    sqlx::query("INSERT INTO sale VALUES ($1, 10)").bind(id).execute(&mut **tx).await.unwrap();
    id
}

#[tokio::test]
async fn what_was_dispatched_commits_with_the_rest() {
    let market = Market::open().await;
    let worker = start(&market.dispatcher).await;
    let mut tx = market.pool.begin().await.unwrap();
    let before = settings(&mut tx).await;
    let sale = sell(&mut tx).await;
    let task = market.dispatcher.dispatch_in(&mut tx, double { number: 4 }).await.unwrap();
    let run = market.dispatcher.dispatch_in(&mut tx, DoubleAndOne(double { number: 5 })).await.unwrap();
    let later = sell(&mut tx).await;
    assert_eq!(settings(&mut tx).await, before, "the caller's settings are as they were");
    assert!(market.dispatcher.get(task.id()).await.unwrap().is_none(), "nobody sees it yet");
    tx.commit().await.unwrap();
    assert_eq!(task.wait().await.unwrap(), 8);
    assert_eq!(run.wait().await.unwrap(), 11);
    assert!(market.sold(sale).await && market.sold(later).await);
    worker.shutdown().await;
    assert_eq!(market.dispatcher.verify().await.unwrap(), []);
}

async fn settings(tx: &mut sqlx::Transaction<'_, sqlx::Postgres>) -> (String, String) {
    let ask = "SELECT current_setting('search_path'), current_setting('enable_seqscan')";
    let row = sqlx::query(ask).fetch_one(&mut **tx).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn what_was_rolled_back_never_was() {
    let market = Market::open().await;
    let mut tx = market.pool.begin().await.unwrap();
    let sale = sell(&mut tx).await;
    let many = (0..3).map(|number| double { number }.key(format!("sale-{number}")));
    assert_eq!(market.dispatcher.dispatch_all_in(&mut tx, many).await.unwrap().len(), 3);
    tx.rollback().await.unwrap();
    assert!(market.dispatcher.list(TaskFilter::new()).await.unwrap().is_empty());
    assert!(!market.sold(sale).await);
}

#[tokio::test]
async fn a_refused_dispatch_leaves_the_transaction_as_it_was() {
    let market = Market::open().await;
    let first = market.dispatcher.dispatch(double { number: 1 }.key("one")).await.unwrap();
    let mut tx = market.pool.begin().await.unwrap();
    let before = settings(&mut tx).await;
    let sale = sell(&mut tx).await;
    let again = market.dispatcher.dispatch_in(&mut tx, double { number: 2 }.key("one")).await.unwrap();
    assert!(again.is_existing() && again.id() == first.id());
    let work = [double { number: 3 }.key("two"), double { number: 4 }.key("one").on_key(OnKey::Refuse)];
    let refused = market.dispatcher.dispatch_all_in(&mut tx, work).await;
    assert!(matches!(refused, Err(DispatchError::KeyTaken { .. })), "{refused:?}");
    market.dispatcher.drain_queue("closed").await.unwrap();
    let refused = market.dispatcher.dispatch_in(&mut tx, double { number: 5 }.queue("closed")).await;
    assert!(matches!(refused, Err(DispatchError::QueueFull { .. })), "{refused:?}");
    assert_eq!(settings(&mut tx).await, before);
    tx.commit().await.unwrap();
    assert!(market.sold(sale).await);
    assert_eq!(market.dispatcher.list(TaskFilter::new()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_transaction_of_another_database_or_store_is_an_error_that_says_so() {
    let market = Market::open().await;
    let name = format!("other_{}", evertask::TaskId::new().uuid().simple());
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&market.pool).await.unwrap();
    let options = market.pool.connect_options().as_ref().clone().database(&name);
    let other = PgPoolOptions::new().connect_with(options).await.unwrap();
    let mut tx = other.begin().await.unwrap();
    let refused = market.dispatcher.dispatch_in(&mut tx, double { number: 1 }).await.unwrap_err();
    assert!(matches!(&refused, DispatchError::Store(StoreError::Foreign { .. })), "{refused}");
    sqlx::query("SELECT 1").execute(&mut *tx).await.unwrap();
    tx.rollback().await.unwrap();

    let memory = Dispatcher::open("memory:").await.unwrap();
    let mut tx = market.pool.begin().await.unwrap();
    let refused = memory.dispatch_in(&mut tx, double { number: 1 }).await.unwrap_err();
    assert!(matches!(&refused, DispatchError::Store(StoreError::Foreign { .. })), "{refused}");
}

#[tokio::test]
async fn whoever_waits_for_a_key_gets_it_when_its_holder_gives_it_up() {
    let market = Market::open().await;
    for commits in [false, true] {
        let key = format!("commits-{commits}");
        let mut holder = market.pool.begin().await.unwrap();
        let held = market.dispatcher.dispatch_in(&mut holder, double { number: 1 }.key(&*key)).await.unwrap();
        let (dispatcher, pool, wanted) = (market.dispatcher.clone(), market.pool.clone(), key.clone());
        let waiting = tokio::spawn(async move {
            let mut tx = pool.begin().await.unwrap();
            let task = dispatcher.dispatch_in(&mut tx, double { number: 2 }.key(wanted)).await.unwrap();
            tx.commit().await.unwrap();
            task
        });
        if commits {
            holder.commit().await.unwrap();
        } else {
            holder.rollback().await.unwrap();
        }
        let given = waiting.await.unwrap();
        assert_eq!((given.is_existing(), given.id() == held.id()), (commits, commits));
        assert!(market.dispatcher.get(given.id()).await.unwrap().is_some());
    }
    let taken = double { number: 3 }.key("commits-true");
    assert!(market.dispatcher.dispatch(taken).await.unwrap().is_existing());
}

#[tokio::test]
async fn a_key_in_an_open_transaction_keeps_nobody_else_waiting() {
    let market = Market::open().await;
    let worker = outfit(&market.dispatcher).lease("1s").start().await.unwrap();
    let mut holder = market.pool.begin().await.unwrap();
    let held = market.dispatcher.dispatch_in(&mut holder, double { number: 1 }.key("held")).await.unwrap();
    let dispatcher = market.dispatcher.clone();
    let waiting = tokio::spawn(async move { dispatcher.dispatch(double { number: 2 }.key("held")).await });
    // For longer than a lease: neither these nor the worker's signs of life wait for the transaction.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        let other = market.dispatcher.dispatch(double { number: 3 }).await.unwrap();
        assert_eq!(other.wait().await.unwrap(), 6);
    }
    assert!(!waiting.is_finished());
    holder.commit().await.unwrap();
    let given = waiting.await.unwrap().unwrap();
    assert!(given.is_existing() && given.id() == held.id());
    assert_eq!(given.wait().await.unwrap(), 2);
    let crashed = market.dispatcher.list(TaskFilter::new().limit(10_000)).await.unwrap();
    assert!(crashed.iter().all(|task| task.crashes == 0), "the worker was taken for dead");
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_is_had_once_on_a_server() {
    let market = Arc::new(Market::open().await);
    let (barrier, begun) = (Arc::new(Barrier::new(usize::try_from(RIVALS).unwrap())), Instant::now());
    let mut rivals = tokio::task::JoinSet::new();
    for rival in 0..RIVALS {
        let (market, barrier) = (market.clone(), barrier.clone());
        rivals.spawn(async move {
            barrier.wait().await;
            for key in 0..KEYS {
                let mut tx = market.pool.begin().await.unwrap();
                let work = double { number: 1 }.key(key_of(key));
                let task = market.dispatcher.dispatch_in(&mut tx, work).await.unwrap();
                if commits(rival, key) {
                    tx.commit().await.unwrap();
                } else {
                    tx.rollback().await.unwrap();
                }
                if task.is_existing() {
                    let there = market.dispatcher.get(task.id()).await.unwrap();
                    assert!(there.is_some(), "key {key} was said to be taken, and is not");
                }
            }
        });
    }
    while let Some(done) = rivals.join_next().await {
        done.unwrap();
    }
    check(&market.dispatcher, begun).await;
}
