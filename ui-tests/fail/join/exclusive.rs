// Members on two arms of which one is taken.
use evertask::{prelude::*, workflow};

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
        find {
            on_ok(Some(order)) => quote { order },
            on_ok(None) => weigh { parcel: String::new() },
        }
        join (weigh, quote) => close;
    }
}

fn main() {}
