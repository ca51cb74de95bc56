// A workflow that takes something, and nothing that gives it.
use evertask::{prelude::*, workflow};

#[task]
async fn import(day: u32) -> Result<(), String> {
    Err(day.to_string())
}

workflow! {
    #[workflow(schedule = "0 3 * * *")]
    Nightly<u32> {
        import {}
    }
}

fn main() {}
