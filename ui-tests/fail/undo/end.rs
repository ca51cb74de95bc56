// `undo` leads to a step.
use evertask::{prelude::*, workflow};

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Receipt {
    id: u64,
}

#[task]
async fn charge(order: u64) -> Result<Receipt, String> {
    Ok(Receipt { id: order })
}

workflow! {
    Fulfil<u64> {
        charge {
            on_ok(_) => end,
            undo => end,
        }
    }
}

fn main() {}
