// One arm, written twice.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate {
            on_ok => end,
            on_err => end,
            on_ok => validate after "1d",
        }
    }
}

fn main() {}
