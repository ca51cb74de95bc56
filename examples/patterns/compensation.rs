//! When a step fails for good, a task that makes up for it follows, in the failing task's own transaction.
//!
//! ```text
//! reserved seat 14
//! payment 1 failed
//! payment 2 failed
//! released seat 14 because: the card has expired
//! the booking failed: no payment for seat 14
//! ```

use std::convert::Infallible;
use std::error::Error;

use evertask::prelude::*;
use evertask::{Dispatcher, RunError, workflow};

#[task]
async fn reserve_seat(seat: u32) -> Result<u32, Infallible> {
    println!("reserved seat {seat}");
    Ok(seat)
}

#[task(retry(times = 1, backoff = fixed("5ms")))]
async fn take_payment(seat: u32, cx: &Context) -> Result<u32, String> {
    println!("payment {} failed", cx.attempt());
    let _ = seat;
    Err("the card has expired".into())
}

#[task]
async fn release_seat(seat: u32, reason: String) -> Result<u32, Infallible> {
    println!("released seat {seat} because: {reason}");
    Ok(seat)
}

workflow! {
    /// Books a seat.
    BookSeat<u32 -> u32> {
        reserve_seat { on_ok => take_payment }
        take_payment {
            on_ok         => done,
            on_failure(f) => release_seat { reason: f.to_string(), seat: f.payload.seat },
        }
        release_seat { on_ok(seat) => fail(format!("no payment for seat {seat}")) }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().start().await?;
    match dispatcher.dispatch(BookSeat(14)).await?.wait().await {
        Err(RunError::Failed { report, .. }) => println!("the booking failed: {}", report.message),
        other => println!("not expected: {other:?}"),
    }
    worker.shutdown().await;
    Ok(())
}
