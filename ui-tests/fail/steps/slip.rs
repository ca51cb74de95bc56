// A slip in the name of a step.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => chekc }
        check = validate { on_ok => end }
    }
}

fn main() {}
