// `with` a step and no pattern.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

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
    Fulfil<u64> {
        validate { on_ok => quote }
        quote { on_ok with validate => ship }
    }
}

fn main() {}
