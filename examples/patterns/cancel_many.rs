//! Many are cancelled in one transaction: by name, by what they belong to, or by their ids.
//!
//! ```text
//! 2 newsletters of the spring campaign
//! 3 newsletters by name
//! 0 by name, a second time
//! 1 invoice is left: ready
//! ```

use std::convert::Infallible;
use std::error::Error;

use evertask::Dispatcher;
use evertask::prelude::*;
use evertask::store::{CancelOutcome, Selection};

#[task]
async fn send_newsletter(to: String) -> Result<(), Infallible> {
    println!("never printed: a newsletter to {to}");
    Ok(())
}

#[task]
async fn send_invoice(to: String) -> Result<(), Infallible> {
    println!("never printed: an invoice to {to}");
    Ok(())
}

async fn cancel(dispatcher: &Dispatcher, selection: Selection) -> Result<usize, Box<dyn Error>> {
    let cancelled = dispatcher.cancel_all(selection).await?;
    assert!(cancelled.iter().all(|(_, outcome)| *outcome == CancelOutcome::Cancelled));
    Ok(cancelled.len())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let newsletter = |to: &str| send_newsletter { to: to.into() }.after("1h");
    dispatcher.dispatch_all(["Ada", "Grace"].map(|to| newsletter(to).correlation_id("spring"))).await?;
    dispatcher.dispatch_all(["Alan", "Joan", "Radia"].map(newsletter)).await?;
    let invoice = dispatcher.dispatch(send_invoice { to: "Ada".into() }).await?;

    let spring = cancel(&dispatcher, Selection::Correlation("spring".into())).await?;
    println!("{spring} newsletters of the spring campaign");
    let others = cancel(&dispatcher, Selection::Name("send_newsletter".into())).await?;
    println!("{others} newsletters by name");
    let again = cancel(&dispatcher, Selection::Name("send_newsletter".into())).await?;
    println!("{again} by name, a second time");
    println!("1 invoice is left: {}", invoice.status().await?);
    cancel(&dispatcher, Selection::Ids(vec![invoice.id().into()])).await?;
    Ok(())
}
