// A struct without a handler.
use evertask::prelude::*;

#[task]
#[derive(serde::Serialize, serde::Deserialize)]
struct Resize {
    image: String,
}

fn main() {}
