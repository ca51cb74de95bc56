// A foreign task.
use evertask::prelude::*;

#[task]
extern "C" fn nothing() -> Result<(), String> {
    Ok(())
}

fn main() {}
