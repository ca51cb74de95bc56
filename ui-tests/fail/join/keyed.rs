// What follows a join has no limit with a key.
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
async fn weigh(order: u64) -> Result<u32, String> {
    Ok(u32::from(order > 9))
}

#[task(rate_limit("5/s"), concurrency(1, key = text))]
async fn close(weight: u32, text: String) -> Result<(), String> {
    let _ = (weight, text);
    Ok(())
}

workflow! {
    Fulfil<u64> {
        validate { on_ok(order) => [weigh { order }, quote { order }] }
        join (weigh, quote) => close;
    }
}

fn main() {}
