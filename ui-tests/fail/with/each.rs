// `with` a step that ran once for each item.
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
        weigh { on_ok => notify { text: String::new() } }
        notify { on_ok with weigh(weight) => ship { to: weight.to_string() } }
    }
}

fn main() {}
