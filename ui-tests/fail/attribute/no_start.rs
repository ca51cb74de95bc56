// A workflow without a start.
use evertask::prelude::*;

#[workflow(timeout = "1d")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Import {
    day: u64,
}

fn main() {}
