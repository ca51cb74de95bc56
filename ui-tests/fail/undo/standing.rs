// `undo` on a task: a chain has no run to fail.
use evertask::prelude::*;

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[task(undo => ship)]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

fn main() {}
