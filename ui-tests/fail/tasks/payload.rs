// A payload that can not be stored.
use evertask::prelude::*;

struct Image;

#[task]
async fn resize(image: Image, width: u32) -> Result<(), String> {
    drop(image);
    Err(width.to_string())
}

fn main() {}
