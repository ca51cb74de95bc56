// A task without a result.
use evertask::prelude::*;

#[task]
async fn greet(name: String) {
    println!("{name}");
}

fn main() {}
