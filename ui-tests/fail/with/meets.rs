// `with` a step to which both branches of a list lead: there would be two of it.
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
async fn notify(text: String) -> Result<(), String> {
    let _ = text;
    Ok(())
}

#[task]
async fn ship(weight: u32) -> Result<(), String> {
    let _ = weight;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        validate { on_ok(order) => [find { order }, quote { order }] }
        find { on_ok(order) => weigh { order } }
        quote { on_ok(order) => weigh { order } }
        weigh { on_ok(weight) => notify { text: weight.to_string() } }
        notify { on_ok with weigh(weight) => ship { weight } }
    }
}

fn main() {}
