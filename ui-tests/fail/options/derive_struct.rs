// A derive on a struct.
use evertask::prelude::*;

#[task(derive(Debug))]
#[derive(serde::Serialize, serde::Deserialize)]
struct Resize;

impl Handler for Resize {
    type Output = ();
    type Error = String;

    async fn run(self, _: &Context) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
