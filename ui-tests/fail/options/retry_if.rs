// A check of another error.
use evertask::prelude::*;

#[task(retry_if = str::is_empty)]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
