// A weekday of no week.
use evertask::prelude::*;

#[task(schedule("0 9 * * MUN", zone = "Europe/Berlin"))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
