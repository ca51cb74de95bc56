//! What follows depends on the output: arms with patterns and guards are one `match`, so that a variant
//! that is not routed does not compile.
//!
//! ```text
//! 12: approved at once
//! 700: looked at by a person
//! 9000: refused, too much
//! ```

use std::convert::Infallible;
use std::error::Error;

use evertask::prelude::*;
use evertask::{Dispatcher, RunError, workflow};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Assessment {
    Amount(u32),
    TooMuch { amount: u32 },
}

#[task]
async fn assess(amount: u32) -> Result<Assessment, Infallible> {
    Ok(if amount > 5_000 { Assessment::TooMuch { amount } } else { Assessment::Amount(amount) })
}

#[task]
async fn approve(amount: u32) -> Result<String, Infallible> {
    Ok(format!("{amount}: approved at once"))
}

#[task]
async fn review(amount: u32) -> Result<String, Infallible> {
    Ok(format!("{amount}: looked at by a person"))
}

workflow! {
    /// Decides about a loan.
    DecideLoan<u32 -> String> {
        assess {
            on_ok(Assessment::Amount(amount)) if amount < 100 => approve,
            on_ok(Assessment::Amount(amount))                 => review,
            on_ok(Assessment::TooMuch { amount })             => fail(format!("{amount}: refused, too much")),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().start().await?;
    for amount in [12, 700, 9_000] {
        match dispatcher.dispatch(DecideLoan(amount)).await?.wait().await {
            Ok(decision) => println!("{decision}"),
            Err(RunError::Failed { report, .. }) => println!("{}", report.message),
            Err(other) => return Err(other.into()),
        }
    }
    worker.shutdown().await;
    Ok(())
}
