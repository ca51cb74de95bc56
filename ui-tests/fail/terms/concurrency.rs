// Nothing may run.
use evertask::prelude::*;

#[task(concurrency(0))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
