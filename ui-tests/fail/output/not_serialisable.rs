// An output of a workflow that can not be stored.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

struct Parcel;

impl From<u64> for Parcel {
    fn from(_: u64) -> Self {
        Self
    }
}

workflow! {
    Fulfil<u64 -> Parcel> {
        validate { on_ok => done }
    }
}

fn main() {}
