// A struct that can not be stored.
use evertask::prelude::*;

#[task]
struct Resize {
    image: String,
}

impl Handler for Resize {
    type Output = ();
    type Error = String;

    async fn run(self, _: &Context) -> Result<(), String> {
        Err(self.image)
    }
}

fn main() {}
