// `fail` outside a block.
use evertask::prelude::*;

#[task(on_ok => fail("no"))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
