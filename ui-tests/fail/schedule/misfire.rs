// A policy that there is not.
use evertask::prelude::*;

#[task(schedule("0 3 * * *", misfire = catch_up))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
