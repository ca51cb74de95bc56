// A task with a constant parameter.
use evertask::prelude::*;

#[task]
async fn resize<const N: usize>(image: u8) -> Result<(), String> {
    let _ = image;
    Ok(())
}

fn main() {}
