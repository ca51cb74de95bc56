// A struct that is no task, named by two arms.
use evertask::{prelude::*, workflow};
use serde::{Deserialize, Serialize};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[derive(Serialize, Deserialize)]
struct Archive {
    order: u64,
}

workflow! {
    Fulfil<u64> {
        validate {
            on_ok(order) => [Archive, Archive { order }],
            on_failure(_) => Archive { order: 0 },
        }
    }
}

fn main() {}
