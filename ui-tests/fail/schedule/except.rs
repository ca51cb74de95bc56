// A date that no calendar has.
use evertask::prelude::*;

#[task(schedule("0 3 * * *", except("SUN", "2026-02-29")))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
