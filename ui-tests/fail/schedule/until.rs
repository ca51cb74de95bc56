// A text where a point in time stands: no zone says what it means.
use evertask::prelude::*;

#[task(schedule("0 3 * * *", until = "2027-01-01"))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
