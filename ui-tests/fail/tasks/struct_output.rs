// A handler whose output can not be stored.
use evertask::prelude::*;

struct Image;

#[task]
#[derive(serde::Serialize, serde::Deserialize)]
struct Resize {
    image: String,
}

impl Handler for Resize {
    type Output = Image;
    type Error = String;

    async fn run(self, _: &Context) -> Result<Image, String> {
        Err(self.image)
    }
}

fn main() {}
