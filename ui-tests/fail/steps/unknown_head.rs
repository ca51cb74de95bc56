// A step whose task does not exist.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => archive }
        archive { on_ok => end }
    }
}

fn main() {}
