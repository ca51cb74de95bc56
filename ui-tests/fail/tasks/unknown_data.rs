// An injected argument of an unknown type.
use evertask::prelude::*;

#[task]
async fn resize(width: u32, store: &Stroe) -> Result<(), String> {
    let _ = (width, store);
    Ok(())
}

fn main() {}
