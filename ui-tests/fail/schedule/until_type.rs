// A length of time where a point in time stands.
use evertask::prelude::*;

#[task(schedule("0 3 * * *", until = std::time::Duration::from_secs(9)))]
async fn tidy_up() -> Result<(), String> {
    Ok(())
}

fn main() {}
