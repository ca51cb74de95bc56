//! A workflow of several stages, with parallel branches, an alias and a typed output.
//!
//! ```text
//! 3 lines were read
//! 3 lines were counted, 14 letters
//! archived under report-3
//! mailed to ops@example.org: 14 letters
//! the run gave 14
//! ```

use std::convert::Infallible;
use std::error::Error;

use evertask::prelude::*;
use evertask::store::{TaskFilter, TaskState};
use evertask::{Dispatcher, workflow};

#[task]
async fn read_lines(text: String) -> Result<Vec<String>, Infallible> {
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    println!("{} lines were read", lines.len());
    Ok(lines)
}

#[task]
async fn count_letters(lines: Vec<String>) -> Result<(usize, usize), Infallible> {
    let letters = lines.iter().map(String::len).sum();
    println!("{} lines were counted, {letters} letters", lines.len());
    Ok((lines.len(), letters))
}

#[task]
async fn archive(name: String) -> Result<(), Infallible> {
    println!("archived under {name}");
    Ok(())
}

#[task]
async fn send_mail(to: String, letters: usize) -> Result<(), Infallible> {
    println!("mailed to {to}: {letters} letters");
    Ok(())
}

workflow! {
    /// Counts the letters of a text, and tells everybody.
    CountText<String -> usize> {
        read_lines { on_ok => count_letters }
        count_letters {
            on_ok((lines, letters)) => [
                archive { name: format!("report-{lines}") },
                // A durable pause: it survives a restart, and holds no slot.
                tell_ops { to: "ops@example.org".into(), letters } after "50ms",
                done(letters),
            ],
        }
        tell_ops = send_mail { on_ok => end }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().start().await?;
    let run = dispatcher.dispatch(CountText("one\nthree\ntwelve".into())).await?;
    // The run ends when its last branch does.
    let letters = run.wait().await?;
    println!("the run gave {letters}");
    let done = dispatcher.list(TaskFilter::new().run(run.id()).state(TaskState::Succeeded)).await?;
    assert_eq!(done.len(), 4);
    worker.shutdown().await;
    Ok(())
}
