// A schedule that says nothing.
use evertask::prelude::*;

#[task(schedule)]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
