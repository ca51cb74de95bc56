// A struct that is no task, in a standing chain.
use evertask::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Archive {
    order: u64,
}

#[task(on_ok => Archive)]
async fn count(order: u64) -> Result<u64, String> {
    Ok(order)
}

fn main() {}
