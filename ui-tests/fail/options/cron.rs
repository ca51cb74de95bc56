// A word that other libraries have.
use evertask::prelude::*;

#[task(cron = "0 3 * * *")]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
