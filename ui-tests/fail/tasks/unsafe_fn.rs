// An unsafe task.
use evertask::prelude::*;

#[task]
async unsafe fn greet(name: String) -> Result<(), String> {
    Err(name)
}

fn main() {}
