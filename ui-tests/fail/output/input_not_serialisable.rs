// An input of a workflow that can not be stored.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

struct Basket;

impl From<Basket> for validate {
    fn from(_: Basket) -> Self {
        Self { order: 1 }
    }
}

workflow! {
    Fulfil<Basket> {
        validate { on_ok => end }
    }
}

fn main() {}
