// A struct with fields, and nothing that gives them.
use evertask::prelude::*;

#[task(schedule = "0 3 * * *")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Remind(u64);

impl Handler for Remind {
    type Output = ();
    type Error = String;

    async fn run(self, _: &Context) -> Result<(), String> {
        Err(self.0.to_string())
    }
}

fn main() {}
