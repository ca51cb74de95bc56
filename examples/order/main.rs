//! Places the orders of a data file, and takes each from the basket to the doorstep, durably.
//!
//! ```text
//! cargo run --release --bin order                 # runs, shows progress, ends with a table
//! cargo run --release --bin order -- --verify     # proves from the database that each order had one end
//! cargo run --release --bin order -- --graph      # prints the workflow as Mermaid
//! ```
//!
//! Kill it with `kill -9` in the middle and start it again: it finishes the rest.

mod report;
mod workflow;
mod world;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evertask::prelude::*;
use evertask::{Dispatcher, Queue};
use tokio::task::JoinSet;

use report::Snapshot;
use workflow::{FulfilOrder, PlaceOrder};
use world::{Bank, Courier, Mailer, Outbox, Pace, Warehouse};

/// So many orders are placed in one transaction.
const BATCH: usize = 50;

struct Arguments {
    database: PathBuf,
    data: PathBuf,
    pace: Duration,
    verify: bool,
    graph: bool,
}

impl Arguments {
    fn parse() -> Result<Self, String> {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/data/orders.json");
        let mut arguments = Self {
            database: "orders.db".into(),
            data: data.into(),
            pace: Duration::from_millis(20),
            verify: false,
            graph: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "--db" => arguments.database = value()?.into(),
                "--data" => arguments.data = value()?.into(),
                "--pace" => arguments.pace = evertask::parse_duration(&value()?).map_err(|error| error.to_string())?,
                "--verify" => arguments.verify = true,
                "--graph" => arguments.graph = true,
                _ => {
                    return Err(format!(
                        "unknown option `{word}`: --db FILE, --data FILE, --pace 20ms, --verify, --graph"
                    ));
                }
            }
        }
        Ok(arguments)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("order: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    if arguments.graph {
        print!("{}", FulfilOrder::graph().mermaid());
        return Ok(ExitCode::SUCCESS);
    }
    let orders: Vec<PlaceOrder> = serde_json::from_slice(&std::fs::read(&arguments.data)?)?;
    let dispatcher = Dispatcher::open(&format!("sqlite:{}", arguments.database.display())).await?;
    if arguments.verify {
        let code = verify(&dispatcher, &orders).await?;
        dispatcher.close().await?;
        return Ok(code);
    }
    let before = Snapshot::read(&dispatcher).await?;
    let settled = before.runs.len() - before.unfinished();
    println!("{}: {settled} of {} orders have ended before", arguments.database.display(), orders.len());

    let started = Instant::now();
    let pace = Pace(arguments.pace);
    let worker = dispatcher
        .worker()
        .data(Bank(pace))
        .data(Warehouse(pace))
        .data(Courier(pace))
        .data_dyn::<dyn Mailer>(Arc::new(Outbox::default()))
        .queue("payments", Queue::new().concurrency(8))
        .start()
        .await?;

    // The key makes it safe to place an order again: who has been placed before is found, not doubled.
    let mut handles = Vec::new();
    for batch in orders.chunks(BATCH) {
        let work = batch
            .iter()
            .map(|order| FulfilOrder(order.clone()).key(order.id.as_str()).correlation_id(order.id.as_str()));
        handles.append(&mut dispatcher.dispatch_all(work).await?);
    }
    let total = handles.len();
    let (mut waiting, mut done, mut shown) = (JoinSet::new(), 0, Instant::now());
    for handle in handles {
        // A rejected order is an error of its run, and an end like any other.
        waiting.spawn(async move { handle.wait().await.is_ok() });
    }
    while waiting.join_next().await.is_some() {
        done += 1;
        if shown.elapsed() > Duration::from_millis(200) {
            shown = Instant::now();
            eprintln!("{done} of {total} orders have ended");
        }
    }
    let elapsed = started.elapsed();
    worker.shutdown().await;

    let after = Snapshot::read(&dispatcher).await?;
    let tasks = after.tasks.len() - before.tasks.iter().filter(|task| task.state.is_terminal()).count();
    println!("{}", after.table());
    #[allow(clippy::cast_precision_loss)]
    let rate = tasks as f64 / elapsed.as_secs_f64();
    println!("{tasks} tasks in {:.2} s: {rate:.0} a second", elapsed.as_secs_f64());
    dispatcher.close().await?;
    Ok(ExitCode::SUCCESS)
}

async fn verify(dispatcher: &Dispatcher, orders: &[PlaceOrder]) -> Result<ExitCode, Box<dyn Error>> {
    let wrong = report::verify(dispatcher, orders).await?;
    for line in &wrong {
        println!("{line}");
    }
    if wrong.is_empty() {
        println!("{} orders, each with exactly one end; no continuation is missing or doubled", orders.len());
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} things are wrong", wrong.len());
    Ok(ExitCode::FAILURE)
}
