// A limit of nothing.
use evertask::{prelude::*, workflow};

#[task]
async fn find(order: u64) -> Result<Option<u64>, String> {
    Ok(order.checked_sub(1))
}

workflow! {
    Fulfil<u64> {
        find {
            on_ok(Some(order)) => find { order } limit 0,
            on_ok(None) => end,
        }
    }
}

fn main() {}
