// A list of pauses, and a number of them.
use evertask::prelude::*;

#[task(retry(times = 3, backoff = list("1s", "5s", "1m")))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
