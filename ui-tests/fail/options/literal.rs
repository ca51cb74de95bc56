// An option that stands alone.
use evertask::prelude::*;

#[task("mail")]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
