// An `undo` behind one that takes everything.
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

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        validate {
            on_ok => end,
            undo(order) => refund { order },
            undo(3) => ship { to: String::new() },
        }
    }
}

fn main() {}
