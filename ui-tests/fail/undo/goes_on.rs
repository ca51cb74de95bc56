// What undoes a step leads nowhere.
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

#[task]
async fn notify(text: String) -> Result<(), String> {
    let _ = text;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        charge {
            on_ok(_) => end,
            undo(receipt) => refund { order: receipt.id },
        }
        refund { on_ok => notify { text: String::new() } }
    }
}

fn main() {}
