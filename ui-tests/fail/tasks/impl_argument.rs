// An argument of some type.
use evertask::prelude::*;

#[task]
async fn greet(name: impl Into<String>) -> Result<(), String> {
    Err(name.into())
}

fn main() {}
