// An error that can not be shown.
use evertask::prelude::*;

struct Broken;

#[task]
async fn resize(width: u32) -> Result<(), Broken> {
    let _ = width;
    Err(Broken)
}

fn main() {}
