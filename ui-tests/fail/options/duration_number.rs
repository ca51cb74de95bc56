// A duration without a unit.
use evertask::prelude::*;

#[task(timeout = 30)]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
