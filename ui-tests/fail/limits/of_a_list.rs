// A limit of a list.
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
async fn notify(text: String) -> Result<(), String> {
    let _ = text;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        quote { on_ok => [ship, notify] limit 3 }
    }
}

fn main() {}
