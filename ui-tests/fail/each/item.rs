// `each` of items that the task does not accept.
use evertask::{prelude::*, workflow};

#[task]
async fn split(order: u64) -> Result<Vec<String>, String> {
    Ok(vec![order.to_string()])
}

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        split { on_ok(parcels) => each validate(parcels) }
        validate { on_ok => end }
    }
}

fn main() {}
