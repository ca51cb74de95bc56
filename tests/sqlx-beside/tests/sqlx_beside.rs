//! evertask and sqlx bring the same SQLite library into one program, and work on one file.

#![allow(clippy::unwrap_used, clippy::unused_async)]

use std::convert::Infallible;

use evertask::Dispatcher;
use evertask::prelude::*;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

#[task]
async fn double(number: u64) -> Result<u64, Infallible> {
    Ok(number * 2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlx_reads_what_evertask_ran() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work.db");
    let dispatcher = Dispatcher::open(&format!("sqlite:{}", path.display())).await.unwrap();
    let worker = dispatcher.worker().start().await.unwrap();
    let task = dispatcher.dispatch(double { number: 21 }).await.unwrap();
    assert_eq!(task.wait().await.unwrap(), 42);

    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let row: (String, String, Vec<u8>) = sqlx::query_as("SELECT name, state, output FROM task WHERE id = ?")
        .bind(task.id().uuid().as_bytes().as_slice())
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(row, ("double".into(), "succeeded".into(), b"42".to_vec()));

    // A table of the user's own, in the same file, while the worker goes on.
    sqlx::query("CREATE TABLE sums (sum INTEGER)").execute(&pool).await.unwrap();
    sqlx::query("INSERT INTO sums VALUES (42)").execute(&pool).await.unwrap();
    assert_eq!(dispatcher.dispatch(double { number: 4 }).await.unwrap().wait().await.unwrap(), 8);
    pool.close().await;
    worker.shutdown().await;
    assert_eq!(dispatcher.verify().await.unwrap(), []);
    dispatcher.close().await.unwrap();
}
