//! A task that runs is cancelled: it gets a token, may tidy up in a grace period, and a task follows.
//!
//! ```text
//! the copy has begun
//! tidied up after 0 of 3 parts
//! deleted backup.tar.part
//! the cancel was Requested, the copy is cancelled
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use evertask::Dispatcher;
use evertask::prelude::*;
use evertask::store::TaskFilter;
use tokio::sync::Notify;

#[task(on_cancel(f) => delete_partial { file: f.payload.file })]
async fn copy_backup(file: String, begun: &Notify, cx: &Context) -> Result<(), Cancelled> {
    println!("the copy has begun");
    begun.notify_one();
    for part in 0..3 {
        tokio::select! {
            () = std::future::pending() => {} // this part would take an hour
            () = cx.cancelled() => {
                println!("tidied up after {part} of 3 parts");
                return Err(Cancelled);
            }
        }
    }
    println!("never printed: {file} was copied");
    Ok(())
}

#[task]
async fn delete_partial(file: String) -> Result<(), Infallible> {
    println!("deleted {file}.part");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let begun = Arc::new(Notify::new());
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().data_dyn(begun.clone()).start().await?;
    let copy = dispatcher.dispatch(copy_backup { file: "backup.tar".into() }).await?;
    begun.notified().await;
    let outcome = copy.cancel().await?;
    assert!(copy.wait().await.is_err());
    let next = dispatcher.list(TaskFilter::new().name("delete_partial")).await?;
    dispatcher.handle::<delete_partial>(next[0].id).wait().await?;
    println!("the cancel was {outcome:?}, the copy is {}", copy.status().await?);
    worker.shutdown().await;
    Ok(())
}
