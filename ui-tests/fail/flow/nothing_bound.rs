// A pattern that binds nothing gives nothing.
use evertask::{prelude::*, workflow};
use serde::{Deserialize, Serialize};

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
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
        charge {
            on_ok(Charge::Captured(_)) => ship,
            on_ok(Charge::Declined(_)) => end,
        }
    }
}

fn main() {}
