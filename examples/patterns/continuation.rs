//! One task follows another: the edge is checked by the compiler, and commits with the task.
//!
//! ```text
//! resized sunset.jpg
//! published sunset-small.jpg
//! ```

use std::convert::Infallible;
use std::error::Error;

use evertask::Dispatcher;
use evertask::prelude::*;
use evertask::store::{TaskFilter, TaskState};

#[task(on_ok => publish_image)]
async fn resize_image(file: String) -> Result<String, Infallible> {
    println!("resized {file}");
    Ok(file.replace(".jpg", "-small.jpg"))
}

#[task]
async fn publish_image(file: String) -> Result<(), Infallible> {
    println!("published {file}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().start().await?;

    let resized = dispatcher.dispatch(resize_image { file: "sunset.jpg".into() }).await?;
    resized.wait().await?;
    // The continuation was committed together with its parent's result, so that it is in the store by now.
    let next = dispatcher.list(TaskFilter::new().name("publish_image")).await?;
    dispatcher.handle::<publish_image>(next[0].id).wait().await?;

    let ended = dispatcher.list(TaskFilter::new().state(TaskState::Succeeded)).await?;
    assert_eq!(ended.len(), 2);
    worker.shutdown().await;
    Ok(())
}
