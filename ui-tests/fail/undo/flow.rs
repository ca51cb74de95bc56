// `undo` leads to a task that does not accept the output.
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

#[task]
async fn refund(order: u64) -> Result<(), String> {
    let _ = order;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        quote {
            on_ok => ship,
            undo => refund,
        }
    }
}

fn main() {}
