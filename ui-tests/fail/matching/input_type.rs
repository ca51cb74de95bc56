// A second pattern that is not the payload.
use evertask::{prelude::*, workflow};
use serde::{Deserialize, Serialize};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[derive(Serialize, Deserialize)]
enum Charge {
    Captured(u64),
    Declined(String),
}

#[task]
async fn charge(order: u64) -> Result<Charge, String> {
    Ok(Charge::Captured(order))
}

workflow! {
    Fulfil<u64> {
        validate {
            on_ok(order, charge { .. }) => end,
        }
    }
}

fn main() {}
