// What an expression says of itself.
use evertask::prelude::*;

#[task(schedule(evertask::every("15m"), jitter = "30s"))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
