// A priority that is too high.
use evertask::prelude::*;

#[task(priority = 100_000)]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
