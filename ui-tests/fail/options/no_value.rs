// An option without a value.
use evertask::prelude::*;

#[task(queue =)]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
