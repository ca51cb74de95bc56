// A member that runs where another step failed.
use evertask::{prelude::*, workflow};

#[task]
async fn split(order: u64) -> Result<Vec<String>, String> {
    Ok(vec![order.to_string()])
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
        split {
            on_ok(_) => weigh { parcel: String::new() },
            on_err => quote { order: 1 },
        }
        join (weigh, quote) => close;
    }
}

fn main() {}
