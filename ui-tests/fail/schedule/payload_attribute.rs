// A workflow with fields, and nothing that gives them.
use evertask::prelude::*;

#[task]
async fn import(day: u32) -> Result<(), String> {
    Err(day.to_string())
}

#[workflow(start(nightly) => import(nightly.day), schedule = "0 3 * * *")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Nightly {
    day: u32,
}

fn main() {}
