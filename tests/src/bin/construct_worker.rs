//! A worker and a client in one process, which take one course to its end: the program that the tests kill.
//!
//! ```text
//! construct-worker NAME --store URL --witness FILE --acked FILE
//! ```

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use evertask::Dispatcher;
use evertask_tests::constructs::drive;
use evertask_tests::laps::Track;
use evertask_tests::witness::Witness;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("construct-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (course, mut store, mut witness) = (words.next().ok_or("no course")?, None, None);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
        match word.as_str() {
            "--store" => store = Some(value),
            "--witness" => witness = Some(value),
            // Every place has one; a course acknowledges nothing.
            "--acked" => {}
            _ => return Err(format!("unknown option `{word}`").into()),
        }
    }
    let dispatcher = Dispatcher::open(&store.ok_or("no store")?).await?;
    let witness = Witness::open(Path::new(&witness.ok_or("no witness")?), false)?;
    let track = Arc::new(Track { witness, dispatcher: dispatcher.clone(), gate_is_open: true });
    let worker = dispatcher.worker().data_dyn(track.clone()).lease("300ms").max_crashes(10_000).start().await?;
    drive(&dispatcher, &track, &course).await?;
    worker.shutdown().await;
    dispatcher.close().await?;
    Ok(())
}
