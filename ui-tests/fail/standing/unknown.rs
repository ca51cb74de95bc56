// A task that does not exist.
use evertask::prelude::*;

#[task(on_ok => ship)]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

fn main() {}
