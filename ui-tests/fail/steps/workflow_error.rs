// A workflow fails with a report.
use evertask::{prelude::*, workflow};

#[task]
async fn quote(order: u64) -> Result<String, String> {
    Ok(order.to_string())
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
        quote { on_ok => Send }
        Send { on_err(true) => end, on_err => rollback }
    }
}

fn main() {}
