// A signal of another type than its wait.
use evertask::{Dispatcher, RunId, prelude::*, workflow};

#[task]
async fn validate(order: u64) -> Result<u64, String> {
    Ok(order)
}

workflow! {
    Fulfil<u64> {
        validate { on_ok => answer }
        wait answer<u64> { on_ok => end }
    }
}

async fn answer(dispatcher: &Dispatcher, run: RunId) {
    let _ = dispatcher.signal(run, Fulfil::answer, &"yes".to_owned()).await;
}

fn main() {
    let _ = answer;
}
