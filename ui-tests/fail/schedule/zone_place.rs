// A place without its continent.
use evertask::prelude::*;

#[task(schedule("0 3 * * *", zone = "Berlin"))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
