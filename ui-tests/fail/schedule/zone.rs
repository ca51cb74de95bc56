// A slip in the name of a zone.
use evertask::prelude::*;

#[task(schedule("0 3 * * *", zone = "Europe/Berln"))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
