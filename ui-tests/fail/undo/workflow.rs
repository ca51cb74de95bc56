// A workflow undoes nothing.
use evertask::{prelude::*, workflow};

#[task]
async fn quote(order: u64) -> Result<String, String> {
    Ok(order.to_string())
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
        quote {
            on_ok => end,
            undo => Send,
        }
    }
}

fn main() {}
