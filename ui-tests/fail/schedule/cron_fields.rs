// Four fields.
use evertask::prelude::*;

#[task(schedule = "0 3 * *")]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
