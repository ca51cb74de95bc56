// An option where the cron expression stands.
use evertask::prelude::*;

#[task(schedule(zone = "Europe/Berlin"))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
