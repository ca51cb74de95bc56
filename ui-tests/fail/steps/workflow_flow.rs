// What flows into a workflow that does not accept it.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

workflow! {
    Send<String> {
        ship {}
    }
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => Send }
    }
}

fn main() {}
