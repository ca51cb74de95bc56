// A wait has no error.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => answer }
        wait answer<u64> for "3d" {
            on_ok => end,
            on_err(why) => fail(why),
        }
    }
}

fn main() {}
