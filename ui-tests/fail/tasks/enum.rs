// An enum.
use evertask::prelude::*;

#[task]
enum Mail {
    Welcome,
}

fn main() {}
