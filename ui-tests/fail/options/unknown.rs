// A slip in an option.
use evertask::prelude::*;

#[task(queu = "mail")]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
