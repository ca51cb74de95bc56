// A task that does not exist, named by two arms.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate {
            on_ok => archive,
            on_failure(f) => archive { reason: f.to_string() },
        }
    }
}

fn main() {}
