// 3 errors: Three mistakes in one task.
use evertask::prelude::*;

#[task(queu = "mail", timeout = 30)]
async fn greet(name: &str) -> Result<(), String> {
    Err(name.to_owned())
}

fn main() {}
