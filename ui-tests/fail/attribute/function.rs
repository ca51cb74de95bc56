// A workflow on a function.
use evertask::prelude::*;

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[workflow(start => validate)]
async fn import(day: u64) -> Result<(), String> {
    let _ = day;
    Ok(())
}

fn main() {}
