// `end` outside a block.
use evertask::prelude::*;

#[task(on_ok => end)]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
