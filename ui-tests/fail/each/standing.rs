// `each` on a task: a chain has no run.
use evertask::prelude::*;

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[task(on_ok(names) => each ship(names))]
async fn greet(name: String) -> Result<Vec<String>, String> {
    Ok(vec![name])
}

fn main() {}
