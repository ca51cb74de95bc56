// An argument without a name.
use evertask::prelude::*;

#[task]
async fn ignore(_: u64) -> Result<(), String> {
    Ok(())
}

fn main() {}
