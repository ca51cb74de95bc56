// A payload that the task does not take.
use evertask::prelude::*;

#[task(schedule("0 3 * * *", payload = "ada"))]
async fn remind(user: u64) -> Result<(), String> {
    Err(user.to_string())
}

fn main() {}
