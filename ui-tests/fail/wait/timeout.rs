// A time-out of a wait that has none.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => answer }
        wait answer<u64> {
            on_ok => end,
            on_timeout => fail("late"),
        }
    }
}

fn main() {}
