// A length of time without a unit.
use evertask::prelude::*;

#[task(schedule("0 3 * * *", jitter = "30"))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
