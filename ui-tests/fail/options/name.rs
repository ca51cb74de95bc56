// An empty name.
use evertask::prelude::*;

#[task(name = "")]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
