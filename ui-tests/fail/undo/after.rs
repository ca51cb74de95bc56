// `undo` has no pause.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn refund(order: u64) -> Result<(), String> {
    let _ = order;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        validate {
            on_ok => end,
            undo => refund after "1m",
        }
    }
}

fn main() {}
