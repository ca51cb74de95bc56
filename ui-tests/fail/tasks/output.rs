// An output that can not be stored.
use evertask::prelude::*;

struct Image;

#[task]
async fn resize(width: u32) -> Result<Image, String> {
    let _ = width;
    Ok(Image)
}

fn main() {}
