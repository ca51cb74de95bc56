// A run that starts with a wait.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        wait answer<u64> { on_ok => validate }
        validate { on_ok => end }
    }
}

fn main() {}
