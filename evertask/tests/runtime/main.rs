//! What a worker does with tasks, on every store.

#![allow(clippy::unwrap_used)]

mod bad_inputs;
mod bench;
mod cancel;
mod chains;
mod control;
mod dead_letters;
mod deadlines;
mod failing;
mod keys;
mod language;
mod limits;
mod panics;
mod parking;
mod pictures;
mod queues;
mod retention;
mod retries;
mod starvation;
mod timeouts;

use std::future::Future;

use evertask::{Dispatcher, Worker};

/// Runs a test on each store. The SQLite file is gone afterwards, and so is the PostgreSQL server.
macro_rules! on_each_store {
    ($($(#[$attribute:meta])* async fn $name:ident($dispatcher:ident) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                $(#[$attribute])*
                async fn check($dispatcher: evertask::Dispatcher) $body

                #[tokio::test]
                async fn memory() {
                    crate::on_memory(check).await;
                }

                #[tokio::test]
                async fn sqlite() {
                    crate::on_sqlite(check).await;
                }

                #[cfg(all(feature = "postgres", feature = "testing", unix))]
                #[tokio::test]
                async fn postgres() {
                    crate::on_postgres(check).await;
                }
            }
        )*
    };
}
pub(crate) use on_each_store;

async fn on_memory<F: Future<Output = ()>>(check: impl FnOnce(Dispatcher) -> F) {
    let dispatcher = Dispatcher::open("memory:").await.unwrap();
    check(dispatcher.clone()).await;
    assert_eq!(dispatcher.verify().await.unwrap(), []);
}

async fn on_sqlite<F: Future<Output = ()>>(check: impl FnOnce(Dispatcher) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let dispatcher = Dispatcher::open(&format!("sqlite:{}", folder.path().join("work.db").display())).await.unwrap();
    check(dispatcher.clone()).await;
    assert_eq!(dispatcher.verify().await.unwrap(), []);
    dispatcher.close().await.unwrap();
}

#[cfg(all(feature = "postgres", feature = "testing", unix))]
async fn on_postgres<F: Future<Output = ()>>(check: impl FnOnce(Dispatcher) -> F) {
    let schema = evertask::testing::postgres::Schema::new().unwrap();
    let dispatcher = Dispatcher::open(schema.url()).await.unwrap();
    check(dispatcher.clone()).await;
    assert_eq!(dispatcher.verify().await.unwrap(), []);
    dispatcher.close().await.unwrap();
}

/// A worker with what the tasks of these tests borrow.
async fn worker(dispatcher: &Dispatcher) -> Worker {
    settings(dispatcher).start().await.unwrap()
}

fn settings(dispatcher: &Dispatcher) -> evertask::WorkerBuilder {
    dispatcher
        .worker()
        .data(chains::Prices(vec![3, 5]))
        .data_dyn::<dyn chains::Speaker>(std::sync::Arc::new(chains::Loud))
        .data_dyn(control::gate())
        .grace("20ms")
}
