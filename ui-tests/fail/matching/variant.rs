// A variant that no arm routes.
use evertask::{prelude::*, workflow};
use serde::{Deserialize, Serialize};

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
        charge { on_ok(Charge::Captured(_)) => end }
    }
}

fn main() {}
