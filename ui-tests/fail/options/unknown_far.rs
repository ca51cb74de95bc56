// A word that is no option.
use evertask::prelude::*;

#[task(cron = "* * * * *")]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
