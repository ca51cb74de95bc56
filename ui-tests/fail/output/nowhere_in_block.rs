// A step with arms, but none for its output.
use evertask::{prelude::*, workflow};

#[task]
async fn quote(order: u64) -> Result<String, String> {
    Ok(order.to_string())
}

workflow! {
    Fulfil<u64> {
        quote { on_failure(_) => end }
    }
}

fn main() {}
