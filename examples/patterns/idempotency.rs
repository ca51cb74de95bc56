//! The same key twice is the same task: a caller that is not sure may dispatch again.
//!
//! ```text
//! welcomed Ada
//! the second dispatch found the first: true
//! after the end, too: true
//! another key is another task: false
//! welcomed Ada
//! ```

use std::convert::Infallible;
use std::error::Error;

use evertask::Dispatcher;
use evertask::prelude::*;

#[task]
async fn send_welcome(to: String) -> Result<(), Infallible> {
    println!("welcomed {to}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let welcome = |key: &str| send_welcome { to: "Ada".into() }.key(key);
    let first = dispatcher.dispatch(welcome("welcome-7")).await?;
    let second = dispatcher.dispatch(welcome("welcome-7")).await?;

    let worker = dispatcher.worker().start().await?;
    first.wait().await?;
    println!("the second dispatch found the first: {}", second.is_existing() && second.id() == first.id());
    let third = dispatcher.dispatch(welcome("welcome-7")).await?;
    third.wait().await?;
    println!("after the end, too: {}", third.id() == first.id());
    let other = dispatcher.dispatch(welcome("welcome-8").after("1h")).await?;
    println!("another key is another task: {}", other.is_existing());
    other.cancel().await?;
    dispatcher.dispatch(welcome("welcome-9")).await?.wait().await?;
    worker.shutdown().await;
    Ok(())
}
