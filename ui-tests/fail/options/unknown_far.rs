// A word that is no option.
use evertask::prelude::*;

#[task(tags("greeting"))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
