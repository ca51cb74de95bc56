// A slip in a backoff.
use evertask::prelude::*;

#[task(retry(times = 3, backoff = exponentail("1s", max = "5m")))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
