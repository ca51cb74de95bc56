// A union.
use evertask::prelude::*;

#[task]
union Bits {
    whole: u64,
    low: u32,
}

fn main() {}
