// What follows does not accept the workflow.
use evertask::prelude::*;

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[workflow(start(import) => validate { order: import.day }, on_ok => ship)]
#[derive(serde::Serialize, serde::Deserialize)]
struct Import {
    day: u64,
}

fn main() {}
