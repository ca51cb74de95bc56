// A borrowed list.
use evertask::prelude::*;

#[task]
async fn sum(numbers: &[u64]) -> Result<u64, String> {
    Ok(numbers.iter().sum())
}

fn main() {}
