// Two branches that both give the output.
use evertask::{prelude::*, workflow};

#[task]
async fn find(order: u64) -> Result<Option<u64>, String> {
    Ok(order.checked_sub(1))
}

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64 -> u64> {
        find { on_ok(_) => [validate { order: 1 }, again { order: 2 }] }
        validate { on_ok => done }
        again = validate { on_ok => done }
    }
}

fn main() {}
