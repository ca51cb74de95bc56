// 2 errors: A struct without a handler, which is said twice.
use evertask::prelude::*;

#[task]
#[derive(serde::Serialize, serde::Deserialize)]
struct Resize {
    image: String,
}

fn main() {}
