// A step that repeats itself.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate {
            on_ok => end,
            on_failure(_) => validate { order: 1 },
        }
    }
}

fn main() {}
