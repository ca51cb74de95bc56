// A slip in a retry.
use evertask::prelude::*;

#[task(retry(tmies = 3))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
