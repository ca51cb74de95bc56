// 2 errors: An option that a workflow does not have.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    #[workflow(queue = "mail", verison = 2)]
    Fulfil<u64> {
        validate { on_ok => end }
    }
}

fn main() {}
