// The output of what undoes goes nowhere.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn quote(order: u64) -> Result<String, String> {
    Ok(order.to_string())
}

workflow! {
    Fulfil<u64> {
        validate {
            on_ok => end,
            undo => quote,
        }
    }
}

fn main() {}
