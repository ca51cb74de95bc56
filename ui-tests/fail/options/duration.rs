// A bad duration.
use evertask::prelude::*;

#[task(timeout = "10 minutes")]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
