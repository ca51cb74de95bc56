// `with` a step of a branch beside this one.
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
        quote { on_ok => [weigh, notify] }
        weigh { on_ok => end }
        notify { on_ok with weigh(weight) => ship { to: weight.to_string() } }
    }
}

fn main() {}
