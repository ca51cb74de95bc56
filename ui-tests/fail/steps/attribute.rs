// A step with an attribute.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        #[cfg(feature = "mail")]
        validate { on_ok => end }
    }
}

fn main() {}
