// A variant that a standing chain does not route.
use evertask::prelude::*;
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

#[task(on_ok(Charge::Captured(_)) => ship { to: String::new() })]
async fn charge(order: u64) -> Result<Charge, String> {
    Ok(Charge::Captured(order))
}

fn main() {}
