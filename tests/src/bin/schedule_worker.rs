//! A worker that keeps five schedules and starts what they say, until its standard input ends: the program that the
//! tests kill.
//!
//! ```text
//! schedule-worker --store URL --witness FILE --acked FILE
//! ```

use std::error::Error;
use std::io::Read as _;
use std::process::ExitCode;

use evertask::Dispatcher;
use evertask::registry::Registry;
use evertask_tests::beats;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("schedule-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let mut store = None;
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
        match word.as_str() {
            "--store" => store = Some(value),
            // Every place has them; the store itself is the witness here.
            "--witness" | "--acked" => {}
            _ => return Err(format!("unknown option `{word}`").into()),
        }
    }
    let dispatcher = Dispatcher::open(&store.ok_or("no store")?).await?;
    beats::keep(&dispatcher).await?;
    // A task may die with many workers here.
    let worker = dispatcher
        .worker()
        .registry(Registry::default().add::<beats::beat>())
        .lease("600ms")
        .max_crashes(10_000)
        .start()
        .await?;
    println!("serving");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    worker.shutdown().await;
    dispatcher.close().await?;
    Ok(())
}
