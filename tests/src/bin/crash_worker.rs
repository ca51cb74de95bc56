//! A worker, or a producer, on one store: the program that the tests kill.
//!
//! ```text
//! crash-worker finish          dispatches its laps, and works until nothing is left to do
//! crash-worker serve           works until its standard input ends
//! crash-worker until-signal    works until SIGTERM
//! crash-worker interrupt       as `finish`, but stops at once when some attempts have begun
//! crash-worker guide           holds each guided run for a moment, and rings for it
//! crash-worker produce         dispatches as many laps as each line of its standard input says
//! ```

#![allow(clippy::unwrap_used)]

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use evertask::prelude::*;
use evertask::store::RunFilter;
use evertask::{DispatchError, Dispatcher, OpenError, Payload, Queue, Worker};
use evertask_tests::courses::{self, Guided};
use evertask_tests::laps::{LONGEST, Lap, Note, READS_NEW_NOTES, STOPS, Track, faint_quietly, read_note};
use evertask_tests::record::idle;
use evertask_tests::witness::Witness;

/// How long a producer waits before it offers a lap again that the store could not take.
const AGAIN: Duration = Duration::from_millis(50);
/// How long a program waits before it opens a store again that was not there.
const OPEN_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
struct Arguments {
    mode: String,
    store: String,
    witness: PathBuf,
    acked: PathBuf,
    laps: u32,
    seed: u64,
    slots: u32,
    longest: u64,
    lease: String,
    deadline: String,
    interrupt_after: u64,
    max_crashes: u32,
    notes: u32,
    reads_new_notes: bool,
    gate_is_open: bool,
    echo: bool,
}

impl Arguments {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let mut words = std::env::args().skip(1);
        let mut arguments = Self {
            mode: words.next().ok_or("no mode")?,
            store: "sqlite:work.db".into(),
            witness: "witness".into(),
            acked: "acked".into(),
            laps: 0,
            seed: 0,
            slots: 4,
            longest: LONGEST.load(Ordering::Relaxed),
            lease: "600ms".into(),
            deadline: "10s".into(),
            interrupt_after: 3,
            // The tests kill far more workers than any task should live through.
            max_crashes: 10_000,
            notes: 0,
            reads_new_notes: true,
            gate_is_open: true,
            echo: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "--store" => arguments.store = value()?,
                "--witness" => arguments.witness = value()?.into(),
                "--acked" => arguments.acked = value()?.into(),
                "--laps" => arguments.laps = value()?.parse()?,
                "--seed" => arguments.seed = value()?.parse()?,
                "--slots" => arguments.slots = value()?.parse()?,
                "--longest" => arguments.longest = value()?.parse()?,
                "--lease" => arguments.lease = value()?,
                "--deadline" => arguments.deadline = value()?,
                "--interrupt-after" => arguments.interrupt_after = value()?.parse()?,
                "--max-crashes" => arguments.max_crashes = value()?.parse()?,
                "--notes" => arguments.notes = value()?.parse()?,
                "--old" => arguments.reads_new_notes = false,
                "--gate-closed" => arguments.gate_is_open = false,
                "--echo" => arguments.echo = true,
                _ => return Err(format!("unknown option `{word}`").into()),
            }
        }
        Ok(arguments)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    faint_quietly();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crash-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    READS_NEW_NOTES.store(arguments.reads_new_notes, Ordering::Relaxed);
    LONGEST.store(arguments.longest, Ordering::Relaxed);
    let dispatcher = open(&arguments.store).await?;
    match arguments.mode.as_str() {
        "finish" => {
            let (worker, _) = start(&arguments, &dispatcher).await?;
            dispatch_all(&arguments, &dispatcher).await?;
            idle(&dispatcher).await?;
            worker.shutdown().await;
        }
        "serve" => {
            let (worker, _) = start(&arguments, &dispatcher).await?;
            println!("serving");
            tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await?;
            worker.shutdown().await;
        }
        "until-signal" => {
            let (worker, _) = start(&arguments, &dispatcher).await?;
            println!("serving");
            let report = worker.run_until_signal().await?;
            println!("drained {} handed back {}", report.drained, report.handed_back);
        }
        "interrupt" => {
            let (worker, track) = start(&arguments, &dispatcher).await?;
            dispatch_all(&arguments, &dispatcher).await?;
            track.witness.begun(arguments.interrupt_after).await;
            worker.shutdown_within(Duration::ZERO).await;
        }
        "guide" => guide(&dispatcher).await?,
        "produce" => produce(&arguments, &dispatcher).await?,
        mode => return Err(format!("unknown mode `{mode}`").into()),
    }
    dispatcher.close().await?;
    Ok(())
}

/// A database that is away may come back: it is up to each program how long it waits for that.
async fn open(store: &str) -> Result<Dispatcher, OpenError> {
    loop {
        match Dispatcher::open(store).await {
            Err(OpenError::Store(error)) if error.is_transient() => tokio::time::sleep(OPEN_AGAIN).await,
            opened => return opened,
        }
    }
}

async fn start(arguments: &Arguments, dispatcher: &Dispatcher) -> Result<(Worker, Arc<Track>), Box<dyn Error>> {
    let track = Arc::new(Track {
        witness: Witness::open(&arguments.witness, arguments.echo)?,
        dispatcher: dispatcher.clone(),
        gate_is_open: arguments.gate_is_open,
    });
    let worker = dispatcher
        .worker()
        .data_dyn(track.clone())
        .queue(evertask::DEFAULT_QUEUE, Queue::new().concurrency(arguments.slots))
        .queue(STOPS, Queue::new().concurrency(1))
        .lease(arguments.lease.as_str())
        .shutdown_deadline(arguments.deadline.as_str())
        .max_crashes(arguments.max_crashes)
        .start()
        .await?;
    Ok((worker, track))
}

async fn dispatch_all(arguments: &Arguments, dispatcher: &Dispatcher) -> Result<(), Box<dyn Error>> {
    for nth in 0..arguments.laps {
        dispatch(arguments, dispatcher, nth).await?;
    }
    for nth in 0..arguments.notes {
        let note = Note { format: 1 + nth % 2 };
        dispatcher.dispatch(read_note { note }.key(format!("note-{nth}"))).await?;
    }
    Ok(())
}

/// Dispatches one lap; then, and only then, it is written down as acknowledged.
async fn dispatch(arguments: &Arguments, dispatcher: &Dispatcher, nth: u32) -> Result<(), Box<dyn Error>> {
    let run = loop {
        match courses::dispatch(dispatcher, Lap { nth, seed: arguments.seed }).await {
            // The database is away: its key makes the lap one, however often it is dispatched.
            Err(DispatchError::Store(error)) if error.is_transient() => tokio::time::sleep(AGAIN).await,
            answer => break answer?,
        }
    };
    append(&arguments.acked, &format!("{nth} {run}\n"))?;
    Ok(())
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new().append(true).create(true).open(path)?.write_all(line.as_bytes())
}

/// Done again after a death, it comes to the same.
async fn guide(dispatcher: &Dispatcher) -> Result<(), Box<dyn Error>> {
    for run in dispatcher.list_runs(RunFilter::new().workflow(Guided::NAME)).await? {
        dispatcher.pause(run.id).await?;
        dispatcher.resume(run.id).await?;
        dispatcher.signal(run.id, Guided::bell, &Lap::decode(&run.input)?).await?;
    }
    Ok(())
}

async fn produce(arguments: &Arguments, dispatcher: &Dispatcher) -> Result<(), Box<dyn Error>> {
    let before = std::fs::read_to_string(&arguments.acked).unwrap_or_default();
    let mut next = before.lines().count().try_into()?;
    println!("producing");
    let (orders, mut ordered) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for order in std::io::stdin().lock().lines().map_while(Result::ok) {
            // The producer ends with the orders.
            let _ = orders.send(order);
        }
    });
    while let Some(order) = ordered.recv().await {
        let until = next + order.parse::<u32>()?;
        while next < until {
            dispatch(arguments, dispatcher, next).await?;
            next += 1;
        }
    }
    Ok(())
}
