// `undo` leads to one step.
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
            on_ok(_) => end,
            undo(receipt) => [refund { order: receipt.id }, again { order: receipt.id }],
        }
        again = refund {}
    }
}

fn main() {}
