// A join says no payload.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn weigh(parcel: String) -> Result<u32, String> {
    Ok(u32::from(parcel.is_empty()))
}

#[task]
async fn quote(order: u64) -> Result<String, String> {
    Ok(order.to_string())
}

#[task]
async fn close(weight: u32, text: String) -> Result<(), String> {
    let _ = (weight, text);
    Ok(())
}

workflow! {
    Fulfil<u64> {
        validate { on_ok(order) => [weigh { parcel: String::new() }, quote { order }] }
        join (weigh, quote) => close { weight: 1, text: String::new() };
    }
}

fn main() {}
