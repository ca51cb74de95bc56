// A check that does not say whether to try again.
use evertask::prelude::*;

#[task(retry_if = String::len)]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
