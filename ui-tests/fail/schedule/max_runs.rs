// A schedule that never runs.
use evertask::prelude::*;

#[task(schedule("0 3 * * *", max_runs = 0))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
