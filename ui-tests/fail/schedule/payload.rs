// A task with arguments, and nothing that gives them.
use evertask::prelude::*;

#[task(schedule = "0 3 * * *")]
async fn remind(user: u64, text: String) -> Result<(), String> {
    Err(format!("{user}: {text}"))
}

fn main() {}
