// A failure that ends without the output.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64 -> u64> {
        validate {
            on_ok => done,
            on_err => end,
        }
    }
}

fn main() {}
