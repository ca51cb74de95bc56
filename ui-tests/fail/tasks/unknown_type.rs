// An argument of an unknown type.
use evertask::prelude::*;

#[task]
async fn resize(image: Imgae) -> Result<(), String> {
    drop(image);
    Ok(())
}

fn main() {}
