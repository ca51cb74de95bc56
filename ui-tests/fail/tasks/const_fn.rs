// A constant task.
use evertask::prelude::*;

#[task]
const fn nothing() -> Result<(), String> {
    Ok(())
}

fn main() {}
