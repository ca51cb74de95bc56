// A generic task.
use evertask::prelude::*;

#[task]
async fn resize<T>(image: T) -> Result<(), String> {
    drop(image);
    Ok(())
}

fn main() {}
