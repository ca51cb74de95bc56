//! One id for all that belongs together: every continuation, and what a handler dispatches, inherits it.
//!
//! ```text
//! [visit-42] registered Ada
//! [visit-42] printed a badge for Ada
//! [visit-42] told the host
//! visit-42 has 3 tasks
//! ```

use std::convert::Infallible;
use std::error::Error;

use evertask::Dispatcher;
use evertask::prelude::*;
use evertask::store::TaskFilter;

fn of(cx: &Context) -> &str {
    cx.correlation_id().unwrap_or("nothing")
}

#[task(on_ok => print_badge)]
async fn register_visitor(name: String, cx: &Context) -> Result<String, Infallible> {
    println!("[{}] registered {name}", of(cx));
    Ok(name)
}

#[task]
async fn print_badge(name: String, cx: &Context) -> Result<(), Box<dyn Error + Send + Sync>> {
    println!("[{}] printed a badge for {name}", of(cx));
    // Commits with this task, or not at all.
    cx.dispatch(tell_host {})?;
    Ok(())
}

#[task]
async fn tell_host(cx: &Context) -> Result<(), Infallible> {
    println!("[{}] told the host", of(cx));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().start().await?;
    let visit = register_visitor { name: "Ada".into() }.correlation_id("visit-42");
    dispatcher.dispatch(visit).await?.wait().await?;
    let badge = dispatcher.list(TaskFilter::new().name("print_badge")).await?;
    dispatcher.handle::<print_badge>(badge[0].id).wait().await?;
    let host = dispatcher.list(TaskFilter::new().name("tell_host")).await?;
    dispatcher.handle::<tell_host>(host[0].id).wait().await?;
    let tasks = dispatcher.list(TaskFilter::new().correlation_id("visit-42")).await?;
    println!("visit-42 has {} tasks", tasks.len());
    worker.shutdown().await;
    Ok(())
}
