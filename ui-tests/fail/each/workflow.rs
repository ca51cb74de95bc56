// `each` leads to tasks.
use evertask::{prelude::*, workflow};

#[task]
async fn split(order: u64) -> Result<Vec<String>, String> {
    Ok(vec![order.to_string()])
}

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

workflow! {
    Send<String> {
        ship {}
    }
}

workflow! {
    Fulfil<u64> {
        split { on_ok(parcels) => each Send(parcels) }
    }
}

fn main() {}
