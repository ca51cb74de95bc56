// An output that a workflow does not take.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => end }
    }
}

#[task(on_ok => Fulfil)]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

fn main() {}
