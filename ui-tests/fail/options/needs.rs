// What a function needs is borrowed.
use evertask::prelude::*;

#[task(needs(String))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
