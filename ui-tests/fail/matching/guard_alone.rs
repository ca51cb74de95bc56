// A guard without an arm for the rest.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok(order) if order > 3 => end }
    }
}

fn main() {}
