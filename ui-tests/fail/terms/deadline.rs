// A deadline that is no duration.
use evertask::prelude::*;

#[task(deadline = "soon")]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
