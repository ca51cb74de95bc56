//! A task that waits is cancelled: it ends at once, and never runs.
//!
//! ```text
//! before: ready
//! cancel: Cancelled
//! after: cancelled
//! again: AlreadyFinished
//! it says: `send_reminder` (task ..) was cancelled
//! ```

use std::convert::Infallible;
use std::error::Error;

use evertask::Dispatcher;
use evertask::prelude::*;

#[task]
async fn send_reminder(to: String) -> Result<(), Infallible> {
    println!("never printed: a reminder to {to}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().start().await?;
    let reminder = dispatcher.dispatch(send_reminder { to: "Ada".into() }.after("1h")).await?;
    println!("before: {}", reminder.status().await?);
    println!("cancel: {:?}", dispatcher.cancel(reminder.id()).await?);
    println!("after: {}", reminder.status().await?);
    println!("again: {:?}", reminder.cancel().await?);
    if let Err(error) = reminder.wait().await {
        println!("it says: {}", error.to_string().replace(&reminder.id().to_string(), ".."));
    }
    worker.shutdown().await;
    Ok(())
}
