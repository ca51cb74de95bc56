//! A worker whose tasks keep a ledger in the store's database, or a buyer: the program that the tests kill.
//!
//! ```text
//! ledger-worker serve     works until its standard input ends
//! ledger-worker buy       buys as many things as each line of its standard input says
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use evertask::registry::Registry;
use evertask::{Dispatcher, Queue};
use evertask_tests::ledger::{Books, Ledger, Purchase, Wrong};
use evertask_tests::witness::Witness;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ledger-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Wrong> {
    let mut words = std::env::args().skip(1);
    let mode = words.next().ok_or("no mode")?;
    let (mut store, mut witness, mut seed) = (String::new(), PathBuf::new(), 0);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
        match word.as_str() {
            "--store" => store = value,
            "--witness" => witness = value.into(),
            "--seed" => seed = value.parse()?,
            _ => {}
        }
    }
    let dispatcher = Dispatcher::open(&store).await?;
    let books = Books::open(&store).await?;
    match mode.as_str() {
        "serve" => {
            let ledger = Ledger { books, witness: Witness::open(&witness, false)?, seed };
            let queue = Queue::new().concurrency(4);
            let worker = dispatcher
                .worker()
                .registry(Registry::default().add::<Purchase>())
                .data(ledger)
                .queue(evertask::DEFAULT_QUEUE, queue);
            // The tests kill far more workers than any task should live through.
            let worker = worker.lease("600ms").max_crashes(10_000).start().await?;
            println!("serving");
            tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await?;
            worker.shutdown().await;
        }
        "buy" => {
            println!("buying");
            // Nothing else is to be done here while it waits for an order.
            for order in std::io::stdin().lines() {
                for _ in 0..order?.parse::<u32>()? {
                    books.buy(&dispatcher).await?;
                }
            }
        }
        mode => return Err(format!("unknown mode `{mode}`").into()),
    }
    dispatcher.close().await?;
    Ok(())
}
