// A slip in an outcome.
use evertask::prelude::*;

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[task(on_succes => ship)]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

fn main() {}
