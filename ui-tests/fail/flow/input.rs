// The first step does not accept what the workflow takes.
use evertask::{prelude::*, workflow};

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

workflow! {
    Fulfil<u64> {
        ship { on_ok => end }
    }
}

fn main() {}
