// A value that no arm takes.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => answer }
        wait answer<Option<u64>> { on_ok(Some(order)) => again { order } }
        again = validate { on_ok => end }
    }
}

fn main() {}
