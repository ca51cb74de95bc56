// A start that takes only some payloads.
use evertask::prelude::*;

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[workflow(start(Import { day: 1 }) => validate { order: 1 })]
#[derive(serde::Serialize, serde::Deserialize)]
struct Import {
    day: u64,
}

fn main() {}
