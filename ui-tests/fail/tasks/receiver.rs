// A method.
use evertask::prelude::*;

struct Mailer;

impl Mailer {
    #[task]
    async fn greet(&self, name: String) -> Result<(), String> {
        Err(name)
    }
}

fn main() {}
