// A run does not start with a workflow.
use evertask::{prelude::*, workflow};

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
    Fulfil<String> {
        Send { on_ok => end }
    }
}

fn main() {}
