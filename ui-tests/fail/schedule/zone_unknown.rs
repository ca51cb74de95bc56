// A zone of nowhere.
use evertask::prelude::*;

#[task(schedule("0 3 * * *", zone = "Middle-earth"))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
