// A member to which both branches of a list lead: there would be two of it.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn find(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn quote(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn weigh(order: u64) -> Result<u32, String> {
    Ok(u32::from(order > 0))
}

#[task]
async fn price(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn close(weight: u32, price: u64) -> Result<(), String> {
    let _ = (weight, price);
    Ok(())
}

workflow! {
    Fulfil<u64> {
        validate { on_ok(order) => [find { order }, quote { order }] }
        find { on_ok(order) => [weigh { order }, price { order }] }
        quote { on_ok(order) => weigh { order } }
        join (weigh, price) => close;
    }
}

fn main() {}
