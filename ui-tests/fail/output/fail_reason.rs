// A reason that can not be shown.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok(order) => fail(Some(order)) }
    }
}

fn main() {}
