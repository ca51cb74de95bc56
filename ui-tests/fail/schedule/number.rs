// A number is no schedule.
use evertask::prelude::*;

#[task(schedule = 15)]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
