// A bad duration in a backoff.
use evertask::prelude::*;

#[task(retry(times = 3, backoff = exponential("1s", max = "1 hour")))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
