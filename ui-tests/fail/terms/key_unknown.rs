// A key that is no field.
use evertask::prelude::*;

#[task(rate_limit("5/m", key = tenant))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
