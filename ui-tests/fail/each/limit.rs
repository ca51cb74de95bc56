// A limit that is no number.
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
    Fulfil<u64> {
        split { on_ok(parcels) => each weigh(parcels) limit some }
        weigh { on_ok => end }
    }
}

fn main() {}
