// A pause that is no length of time.
use evertask::prelude::*;

#[task(retry(backoff = list("1s", "soon")))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
