// What a pattern binds, taken together, does not fit.
use evertask::{prelude::*, workflow};

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[task]
async fn split(order: u64) -> Result<(u64, String), String> {
    Ok((order, String::new()))
}

workflow! {
    Fulfil<u64> {
        split { on_ok((order, name)) => ship }
    }
}

fn main() {}
