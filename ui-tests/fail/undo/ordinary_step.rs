// What undoes a step is no ordinary step.
use evertask::{prelude::*, workflow};

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Receipt {
    id: u64,
}

#[task]
async fn charge(order: u64) -> Result<Receipt, String> {
    Ok(Receipt { id: order })
}

#[task]
async fn refund(order: u64) -> Result<(), String> {
    let _ = order;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        charge {
            on_ok(receipt) => refund { order: receipt.id },
            undo(receipt) => refund { order: receipt.id },
        }
    }
}

fn main() {}
