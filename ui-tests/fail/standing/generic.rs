// A task with type parameters.
use evertask::prelude::*;

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[task(on_ok => ship::<u8>)]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

fn main() {}
