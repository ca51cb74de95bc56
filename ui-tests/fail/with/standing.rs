// `with` on a task: a chain has no earlier steps.
use evertask::prelude::*;

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[task(on_ok(text) with ship(_) => ship(text))]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

fn main() {}
