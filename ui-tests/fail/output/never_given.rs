// A promise that nothing keeps.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64 -> String> {
        validate {
            on_ok => end,
            on_err => end,
        }
    }
}

fn main() {}
