// An output for each item.
use evertask::{prelude::*, workflow};

#[task]
async fn split(order: u64) -> Result<Vec<String>, String> {
    Ok(vec![order.to_string()])
}

#[task]
async fn weigh(parcel: String) -> Result<u32, String> {
    Ok(u32::from(parcel.is_empty()))
}

workflow! {
    Fulfil<u64 -> u64> {
        split { on_ok(parcels) => each weigh(parcels) }
        weigh { on_ok(weight) => done(u64::from(weight)) }
    }
}

fn main() {}
