// An earlier name that is no text.
use evertask::prelude::*;

#[task(was = 3)]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

fn main() {}
