// An argument that comes and goes.
use evertask::prelude::*;

#[task]
async fn count(#[cfg(unix)] to: u32) -> Result<(), String> {
    Err(to.to_string())
}

fn main() {}
