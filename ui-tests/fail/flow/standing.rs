// A standing chain whose output does not fit.
use evertask::prelude::*;

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[task(on_ok => ship)]
async fn count(order: u64) -> Result<u64, String> {
    Ok(order)
}

fn main() {}
