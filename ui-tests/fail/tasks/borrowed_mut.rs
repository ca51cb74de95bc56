// A mutable borrow.
use evertask::prelude::*;

struct Counter(u64);

#[task]
async fn count(counter: &mut Counter) -> Result<(), String> {
    counter.0 += 1;
    Ok(())
}

fn main() {}
