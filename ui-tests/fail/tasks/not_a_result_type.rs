// 2 errors: A task that returns something else, which only the compiler knows.
use evertask::prelude::*;

#[task]
async fn greet(name: String) -> String {
    name
}

fn main() {}
