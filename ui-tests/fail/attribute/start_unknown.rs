// A first task that does not exist.
use evertask::prelude::*;

#[workflow(start => chek)]
#[derive(serde::Serialize, serde::Deserialize)]
struct Import {
    day: u64,
}

fn main() {}
