// A mistake in the body is the only one.
use evertask::prelude::*;

#[task]
async fn count(to: u32) -> Result<(), String> {
    let text: String = to;
    Err(text)
}

fn main() {}
