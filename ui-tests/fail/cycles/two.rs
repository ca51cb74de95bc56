// Two steps that go round for ever.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => again }
        again = validate { on_ok => validate }
    }
}

fn main() {}
