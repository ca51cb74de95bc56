// An interval where a cron expression stands.
use evertask::prelude::*;

#[task(schedule = "15m")]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
