// `with` a pattern of another type.
use evertask::{prelude::*, workflow};

#[task]
async fn quote(order: u64) -> Result<String, String> {
    Ok(order.to_string())
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
        quote { on_ok(_) => again { order: 1 } }
        again = validate { on_ok with quote(Some(text)) => ship { to: text } }
    }
}

fn main() {}
