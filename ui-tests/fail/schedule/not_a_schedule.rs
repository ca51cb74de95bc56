// An expression that gives no schedule.
use evertask::prelude::*;

#[task(schedule = std::time::Duration::from_secs(900))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
