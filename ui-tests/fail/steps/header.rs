// A workflow that does not say what it takes.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil {
        validate { on_ok => end }
    }
}

fn main() {}
