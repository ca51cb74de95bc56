// A derive that is there already.
use evertask::prelude::*;

#[task(derive(Debug, Serialize))]
async fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
