// A wait for a time that is none.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => answer }
        wait answer<u64> for "soon" { on_ok => end }
    }
}

fn main() {}
