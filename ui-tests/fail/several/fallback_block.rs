// A workflow with a mistake is still a workflow for the others.
use evertask::{prelude::*, workflow};

workflow! {
    Welcome<String -> String> {
        greet { on_okk => end }
    }
}

#[task(on_ok => Welcome)]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

async fn dispatch() {
    let _ = Welcome(String::new()).after("1m");
}

fn main() {}
