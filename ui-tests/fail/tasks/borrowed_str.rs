// A borrowed text.
use evertask::prelude::*;

#[task]
async fn greet(name: &str) -> Result<(), String> {
    println!("{name}");
    Ok(())
}

fn main() {}
