// A pause that is no text.
use evertask::prelude::*;

#[task(retry(backoff = list("1s", 5)))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
