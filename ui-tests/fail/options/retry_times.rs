// A retry without a number.
use evertask::prelude::*;

#[task(retry(backoff = fixed("1s")))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
