// An output on each round.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64 -> u64> {
        validate { on_ok(order) => [done(order), validate(order) after "1d"] }
    }
}

fn main() {}
