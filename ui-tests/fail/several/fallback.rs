// A task with a mistake is still a task for the others.
use evertask::{prelude::*, workflow};

#[task]
async fn ship(to: String) -> Result<(), String> {
    let _ = to;
    Ok(())
}

#[task(queu = "mail")]
async fn greet(name: String) -> Result<String, String> {
    Ok(name)
}

workflow! {
    Welcome<String> {
        greet { on_ok => ship }
    }
}

async fn dispatch() {
    let _ = greet { name: String::new() }.after("1m");
    let _ = greet(String::new()).await;
}

fn main() {}
