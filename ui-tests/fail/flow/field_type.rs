// A field of the wrong type.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        validate { on_ok(order) => ship { to: order } }
    }
}

fn main() {}
