// A task that returns some type.
use evertask::prelude::*;

#[task]
fn greet(name: String) -> impl std::fmt::Debug {
    name
}

fn main() {}
