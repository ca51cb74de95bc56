// A key that does not show itself.
use evertask::prelude::*;

#[task(concurrency(1, key = names))]
async fn greet(names: Vec<String>) -> Result<(), String> {
    names.into_iter().next().map_or(Ok(()), Err)
}

fn main() {}
