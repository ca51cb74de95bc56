// A reference in a payload.
use evertask::prelude::*;

#[task]
async fn greet(name: Option<&str>) -> Result<(), String> {
    println!("{name:?}");
    Ok(())
}

fn main() {}
