// A struct that is no task, with arms.
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

impl From<u64> for Archive {
    fn from(order: u64) -> Self {
        Self { order }
    }
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => Archive }
        Archive { on_ok(day) => end }
    }
}

fn main() {}
