// More pauses than a list has.
use evertask::prelude::*;

#[task(retry(backoff = list(
    "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "2s"
)))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
