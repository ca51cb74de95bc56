// `with` a pattern that does not take every output.
use evertask::{prelude::*, workflow};

#[task]
async fn find(order: u64) -> Result<Option<u64>, String> {
    Ok(order.checked_sub(1))
}

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
        find { on_ok(_) => next { order: 1 } }
        next = validate { on_ok with find(Some(order)) => ship { to: order.to_string() } }
    }
}

fn main() {}
