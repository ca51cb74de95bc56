// A value that can't be stored.
use evertask::{prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

struct Word;

workflow! {
    Fulfil<u64> {
        validate { on_ok => answer }
        wait answer<Word> { on_ok => end }
    }
}

fn main() {}
