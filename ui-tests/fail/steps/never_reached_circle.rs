// Steps that only lead to each other.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => end }
        again = validate { on_ok => more }
        more = validate { on_ok => again after "1m" }
    }
}

fn main() {}
