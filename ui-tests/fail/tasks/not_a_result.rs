// A task that returns something else.
use evertask::prelude::*;

#[task]
async fn greet(name: String) -> usize {
    name.len()
}

fn main() {}
