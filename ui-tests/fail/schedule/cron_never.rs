// A day that no year has.
use evertask::prelude::*;

#[task(schedule = "0 3 30 2 *")]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
