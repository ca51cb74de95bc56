// A join of one step.
use evertask::{prelude::*, workflow};

#[task]
async fn quote(order: u64) -> Result<String, String> {
    Ok(order.to_string())
}

#[task]
async fn weigh(parcel: String) -> Result<u32, String> {
    Ok(u32::from(parcel.is_empty()))
}

#[task]
async fn refund(order: u64) -> Result<(), String> {
    let _ = order;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        quote { on_ok => weigh }
        join (weigh) => refund;
    }
}

fn main() {}
