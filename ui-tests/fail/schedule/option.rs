// A slip in an option.
use evertask::prelude::*;

#[task(schedule("0 3 * * *", jiter = "30s"))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
