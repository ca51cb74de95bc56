// `with` a member that may have failed.
use evertask::{FailureReport, prelude::*, workflow};

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

#[task]
async fn settle(all: (Result<u32, FailureReport>, Result<(), FailureReport>)) -> Result<(), String> {
    let _ = all;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        quote { on_ok(text) => [weigh(text.clone()), notify { text }] }
        join all settled (weigh, notify) => done_with;
        done_with = settle { on_ok with weigh(weight) => ship { to: weight.to_string() } }
    }
}

fn main() {}
