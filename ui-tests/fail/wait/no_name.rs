// A wait without a name.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => end }
        wait for approval { on_ok => end }
    }
}

fn main() {}
