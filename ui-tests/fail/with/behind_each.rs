// `with` a step behind an `each`: its outputs are many.
use evertask::{prelude::*, workflow};

#[task]
async fn split(order: u64) -> Result<Vec<String>, String> {
    Ok(vec![order.to_string()])
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
async fn notify(text: String) -> Result<(), String> {
    let _ = text;
    Ok(())
}

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        split { on_ok(parcels) => each weigh(parcels) }
        weigh { on_ok(weight) => quote { order: u64::from(weight) } }
        quote { on_ok => notify }
        notify { on_ok with quote(text) => ship(text) }
    }
}

fn main() {}
