// `rollback` on a task: a chain has no run.
use evertask::prelude::*;

#[task(on_err => rollback)]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

fn main() {}
