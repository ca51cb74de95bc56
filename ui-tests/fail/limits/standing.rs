// A limit on a task: a chain has no run.
use evertask::prelude::*;

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[task(on_ok => ship limit 3)]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

fn main() {}
