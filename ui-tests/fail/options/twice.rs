// An option that is given twice.
use evertask::prelude::*;

#[task(queue = "mail", timeout = "1s", queue = "post")]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
