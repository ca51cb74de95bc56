// A generic struct.
use evertask::prelude::*;

#[task]
#[derive(serde::Serialize, serde::Deserialize)]
struct Resize<T> {
    image: T,
}

fn main() {}
