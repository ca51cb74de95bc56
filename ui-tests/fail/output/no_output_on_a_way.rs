// A way that ends without the output.
use evertask::{prelude::*, workflow};

#[task]
async fn find(order: u64) -> Result<Option<u64>, String> {
    Ok(order.checked_sub(1))
}

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

workflow! {
    Fulfil<u64 -> u64> {
        find {
            on_ok(Some(order)) => done(order),
            on_ok(None) => ship { to: String::new() },
        }
        ship { on_ok => end }
    }
}

fn main() {}
