// A workflow whose payload can not be stored.
use evertask::prelude::*;

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[workflow(start(Import { day }) => validate)]
struct Import {
    day: u64,
}

fn main() {}
