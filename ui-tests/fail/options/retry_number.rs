// A retry that is a number.
use evertask::prelude::*;

#[task(retry = 5)]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
