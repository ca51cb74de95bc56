// An output that is not the one that is promised.
use evertask::{prelude::*, workflow};

#[task]
async fn quote(order: u64) -> Result<String, String> {
    Ok(order.to_string())
}

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64 -> u8> {
        validate {
            on_ok => quote,
            on_err => done(1),
        }
    }
}

fn main() {}
