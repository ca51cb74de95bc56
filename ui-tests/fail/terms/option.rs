// A word that a limit does not have.
use evertask::prelude::*;

#[task(rate_limit("5/m", bust = 3))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
