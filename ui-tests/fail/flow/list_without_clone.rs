// An output that goes to several steps and is no `Clone`.
use evertask::{prelude::*, workflow};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Parcel;

#[task]
async fn pack(order: u64) -> Result<Parcel, String> {
    let _ = order;
    Ok(Parcel)
}

#[task]
async fn weigh(parcel: Parcel) -> Result<(), String> {
    drop(parcel);
    Ok(())
}

#[task]
async fn label(parcel: Parcel) -> Result<(), String> {
    drop(parcel);
    Ok(())
}

workflow! {
    Fulfil<u64> {
        pack { on_ok => [weigh, label] }
    }
}

fn main() {}
