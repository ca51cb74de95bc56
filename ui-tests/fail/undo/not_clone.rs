// An output that is undone and flows on must be `Clone`.
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
async fn file(receipt: Receipt) -> Result<(), String> {
    println!("{}", receipt.id);
    Ok(())
}

#[task]
async fn refund(order: u64) -> Result<(), String> {
    let _ = order;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        charge {
            on_ok => file,
            undo(receipt) => refund { order: receipt.id },
        }
    }
}

fn main() {}
