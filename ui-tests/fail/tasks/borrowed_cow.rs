// A payload with a lifetime.
use evertask::prelude::*;

use std::borrow::Cow;

#[task]
async fn greet<'a>(name: Cow<'a, str>) -> Result<(), String> {
    println!("{name}");
    Ok(())
}

fn main() {}
