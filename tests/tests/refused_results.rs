//! A result that its store refuses for what it is: its task fails with that, and nobody else notices.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use evertask::prelude::*;
use evertask::registry::Registry;
use evertask::store::{MemoryStore, TaskState};
use evertask::testing::postgres::Schema;
use evertask::{Dispatcher, FailureKind, Queue, SystemClock, TaskId, Worker};
use evertask_tests::process::Place;
use evertask_tests::refusing::{Refuses, Refusing};
use evertask_tests::warnings;
use sqlx::{AssertSqlSafe, Connection as _};

const BAD: &str = "too much";
const BAD_OUTPUT: &[u8] = b"\"too much\"";

/// How often it was called.
struct Calls(AtomicU32);

#[task(retry(times = 3, backoff = fixed("5ms")))]
async fn say(word: String, calls: &Calls) -> Result<String, Infallible> {
    calls.0.fetch_add(1, Ordering::SeqCst);
    Ok(word)
}

async fn worker(dispatcher: &Dispatcher, calls: &Arc<Calls>) -> Worker {
    let known = Registry::default().add::<say>();
    let worker = dispatcher.worker().registry(known).data_dyn(calls.clone()).only_named_queues();
    worker.queue("default", Queue::new().concurrency(8)).start().await.unwrap()
}

/// Eight at once, one of them bad: most of them share its transaction.
async fn one_of_eight_is_refused(dispatcher: Dispatcher) {
    warnings::listen();
    let calls = Arc::new(Calls(AtomicU32::new(0)));
    let words = ["one", "two", "three", BAD, "four", "five", "six", "seven"];
    let all = dispatcher.dispatch_all(words.map(|word| say { word: word.to_owned() })).await.unwrap();
    let worker = worker(&dispatcher, &calls).await;
    for (word, handle) in words.into_iter().zip(&all) {
        if word != BAD {
            assert_eq!(handle.wait().await.unwrap(), word);
            continue;
        }
        let error = handle.wait().await.unwrap_err().to_string();
        assert!(error.contains("its result was not taken"), "{error}");
        let record = dispatcher.get(handle.id()).await.unwrap().unwrap();
        let failure = record.failure.unwrap();
        assert_eq!((record.state, record.failures, record.crashes), (TaskState::Failed, 1, 0));
        assert_eq!((failure.kind, failure.attempts), (FailureKind::Error, 1));
        println!("failed with: {}", failure.message);
        assert_eq!(said_of(handle.id()).len(), 1, "{:?}", said_of(handle.id()));
    }
    assert_eq!(calls.0.load(Ordering::SeqCst), 8, "each handler was called once");
    let stopped = worker.shutdown().await;
    assert_eq!((stopped.handed_back, stopped.leaked), (0, 0));
    assert_eq!(dispatcher.verify().await.unwrap(), []);
    dispatcher.close().await.unwrap();
}

fn said_of(id: TaskId) -> Vec<String> {
    warnings::that_say(&id.to_string())
}

fn in_memory(refuses: Refuses) -> Dispatcher {
    let clock = Arc::new(SystemClock);
    let store = Arc::new(MemoryStore::new(clock.clone()));
    Dispatcher::with_store(Arc::new(Refusing::new(store, refuses)), clock)
}

#[tokio::test]
async fn in_memory_a_refused_result_is_a_failure() {
    one_of_eight_is_refused(in_memory(Refuses::Output(BAD_OUTPUT))).await;
}

#[tokio::test]
async fn in_a_file_a_refused_result_is_a_failure() {
    let place = Place::new();
    let dispatcher = Dispatcher::open(&place.store()).await.unwrap();
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    conn.execute_batch(
        "CREATE TRIGGER modest BEFORE UPDATE ON task WHEN NEW.output = CAST('\"too much\"' AS BLOB) \
         BEGIN SELECT RAISE(ABORT, 'too much'); END",
    )
    .unwrap();
    drop(conn);
    one_of_eight_is_refused(dispatcher).await;
}

#[tokio::test]
async fn on_a_server_a_refused_result_is_a_failure() {
    let schema = Schema::new().unwrap();
    let dispatcher = Dispatcher::open(schema.url()).await.unwrap();
    let (server, name) = schema.url().split_once("&schema=").unwrap();
    let mut conn = sqlx::PgConnection::connect(server).await.unwrap();
    let modest =
        format!("ALTER TABLE {name}.task ADD CONSTRAINT modest CHECK (output IS DISTINCT FROM '\"too much\"'::bytea)");
    sqlx::query(AssertSqlSafe(modest)).execute(&mut conn).await.unwrap();
    one_of_eight_is_refused(dispatcher).await;
}

#[tokio::test]
async fn a_task_that_may_not_even_fail_is_handed_back_when_the_worker_ends() {
    warnings::listen();
    let dispatcher = in_memory(Refuses::ItsFailureToo(BAD_OUTPUT));
    let calls = Arc::new(Calls(AtomicU32::new(0)));
    let worker = worker(&dispatcher, &calls).await;
    let bad = dispatcher.dispatch(say { word: BAD.to_owned() }).await.unwrap();
    let good = dispatcher.dispatch(say { word: "good".to_owned() }).await.unwrap();
    good.wait().await.unwrap();
    while said_of(bad.id()).len() < 2 {
        tokio::task::yield_now().await;
    }
    worker.shutdown().await;
    let record = dispatcher.get(bad.id()).await.unwrap().unwrap();
    assert_eq!((record.state, record.failures, record.interrupts), (TaskState::Ready, 0, 1));
    assert_eq!(calls.0.load(Ordering::SeqCst), 2);
}
