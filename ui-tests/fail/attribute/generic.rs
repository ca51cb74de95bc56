// A generic workflow.
use evertask::prelude::*;

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[workflow(start => validate)]
#[derive(serde::Serialize, serde::Deserialize)]
struct Import<T> {
    day: T,
}

fn main() {}
