//! What a later task needs travels in payloads: by `From`, by fields, and from the task's own payload.
//!
//! ```text
//! greeted Ada in English
//! filed: Ada heard "Good day, Ada"
//! ```

use std::convert::Infallible;
use std::error::Error;

use evertask::Dispatcher;
use evertask::prelude::*;
use evertask::workflow;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Guest {
    name: String,
    language: String,
}

#[task]
async fn greet(guest: Guest) -> Result<String, Infallible> {
    println!("greeted {} in {}", guest.name, guest.language);
    Ok(format!("Good day, {}", guest.name))
}

#[task]
async fn file_note(name: String, words: String) -> Result<(), Infallible> {
    println!("filed: {name} heard {words:?}");
    Ok(())
}

workflow! {
    /// Greets a guest, and remembers how.
    Welcome<Guest> {
        // The first pattern takes the output apart, the second the step's own payload.
        greet { on_ok(words, greet { guest }) => file_note { name: guest.name, words } }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().start().await?;
    let guest = Guest { name: "Ada".into(), language: "English".into() };
    dispatcher.dispatch(Welcome(guest)).await?.wait().await?;
    worker.shutdown().await;
    Ok(())
}
