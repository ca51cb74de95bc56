// `each` leads to tasks, not to a wait.
use evertask::{prelude::*, workflow};

#[task]
async fn split(order: u64) -> Result<Vec<String>, String> {
    Ok(vec![order.to_string()])
}

workflow! {
    Fulfil<u64> {
        split { on_ok(parcels) => each answer(parcels) }
        wait answer<u32> { on_ok => end }
    }
}

fn main() {}
