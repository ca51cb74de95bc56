// A number that no hour has.
use evertask::prelude::*;

#[task(schedule = "0 25 * * *")]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
