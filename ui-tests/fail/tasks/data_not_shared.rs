// An injected value that can not be shared.
use evertask::prelude::*;

use std::cell::Cell;

#[task]
async fn count(counter: &Cell<u32>) -> Result<(), String> {
    counter.set(1);
    Ok(())
}

fn main() {}
