// A member behind a choice.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn find(order: u64) -> Result<Option<u64>, String> {
    Ok(order.checked_sub(1))
}

#[task]
async fn quote(order: u64) -> Result<String, String> {
    Ok(order.to_string())
}

#[task]
async fn weigh(parcel: String) -> Result<u32, String> {
    Ok(u32::from(parcel.is_empty()))
}

#[task]
async fn close(weight: u32, text: String) -> Result<(), String> {
    let _ = (weight, text);
    Ok(())
}

workflow! {
    Fulfil<u64> {
        validate { on_ok(order) => [find { order }, quote { order }] }
        find {
            on_ok(Some(_)) => weigh { parcel: String::new() },
            on_ok(None) => end,
        }
        join (weigh, quote) => close;
    }
}

fn main() {}
