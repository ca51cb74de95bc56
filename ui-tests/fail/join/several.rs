// 2 errors: Two members may go astray: an error each.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
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
        validate { on_ok(order) => [weigh { parcel: String::new() }, quote { order }] }
        weigh { on_err => end }
        quote { on_failure => end }
        join (weigh, quote) => close;
    }
}

fn main() {}
