// A step that does not exist, with its payload.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok(order) => archive { order } }
    }
}

fn main() {}
