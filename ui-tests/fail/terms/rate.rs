// A text that is no rate.
use evertask::prelude::*;

#[task(rate_limit("100 a second"))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
