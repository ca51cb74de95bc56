// A list without pauses.
use evertask::prelude::*;

#[task(retry(backoff = list()))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
