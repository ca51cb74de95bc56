//! Measures evertask and a hand-written floor of the same durability, in turns, and prints one table.
//!
//! ```text
//! cargo run --release --bin bench -- [--postgres] [--quick] [--only NAME] [--rounds N] [--dir PATH]
//! ```
//!
//! `--postgres` measures on a PostgreSQL server of its own, or on the one that `EVERTASK_POSTGRES` names.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use cases::Case;
use measure::Samples;
use place::Store;

mod cases;
mod children;
mod floor;
mod measure;
mod ours;
mod place;
mod table;
// The benchmark is built without the feature `testing`, whose crash points cost something.
#[allow(dead_code, unreachable_pub, missing_docs)]
#[path = "../../../evertask/src/testing/postgres.rs"]
mod server;
mod tasks;

/// What can go wrong: the benchmark stops at the first mistake.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Tasks that dispatch at once, tasks that run at once, runs at once.
pub(crate) const AT_ONCE: usize = 16;
/// .. and where more may.
pub(crate) const WIDE: usize = 100;
/// Between two tasks of those beside which others are measured.
pub(crate) const LOAD: Duration = Duration::from_millis(1);
/// How many starts a latency is measured of.
pub(crate) const PINGS_EACH: usize = 1_000;
/// How many `dispatch_all` is given.
pub(crate) const BATCH: usize = 1_000;
/// A payload of about 100 bytes ..
pub(crate) const PAYLOAD: &str =
    "a payload of about one hundred bytes is what the others were measured with, and so this";
/// .. and as it is stored.
pub(crate) const STORED: &str =
    r#"{"text":"a payload of about one hundred bytes is what the others were measured with, and so this"}"#;

struct Arguments {
    postgres: bool,
    quick: bool,
    only: Option<String>,
    rounds: usize,
    dir: PathBuf,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [MEMORY_CHILD, side, place, count] => {
            let memory = if *side == "floor" { floor::sqlite::memory } else { ours::memory };
            println!("{}", memory(place, count.parse()?)?);
            // The held tasks are left as a crash would leave them.
            std::process::exit(0);
        }
        [WORKER_CHILD, place] => return ours::worker_child(place),
        _ => {}
    }
    let arguments = parse(&arguments)?;
    std::fs::create_dir_all(&arguments.dir)?;
    let store = if arguments.postgres { Store::postgres()? } else { Store::Sqlite { dir: arguments.dir.clone() } };
    let mut measured: Vec<Measured> = store
        .cases()
        .iter()
        .filter(|case| arguments.only.as_deref().is_none_or(|only| case.name.starts_with(only)))
        .map(|case| Measured::new(case, if arguments.quick { case.count.1 } else { case.count.0 }))
        .collect();
    if measured.is_empty() {
        let names: Vec<_> = store.cases().iter().map(|case| case.name).collect();
        return Err(format!("nothing to measure; there are {}", names.join(", ")).into());
    }
    let raw_time = Duration::from_millis(if arguments.quick { 10 } else { 200 });
    let mut disk = Samples::default();
    for round in 1..=arguments.rounds {
        for case in &mut measured {
            disk.add(measure::synced_appends(&arguments.dir, raw_time)?);
            case.measure(round, &store)?;
        }
    }
    table::print(&disk, &store.durability()?, &measured);
    Ok(())
}

/// A case, how many of it, and what was measured of the floor and of evertask, line by line.
pub(crate) struct Measured {
    case: &'static Case,
    count: usize,
    samples: [Vec<Samples>; 2],
}

impl Measured {
    fn new(case: &'static Case, count: usize) -> Self {
        let none = vec![Samples::default(); case.lines.len()];
        Self { case, count, samples: [none.clone(), none] }
    }

    /// One round: floor and evertask, each in a place of its own.
    fn measure(&mut self, round: usize, store: &Store) -> Result<()> {
        for (side, measure) in [self.case.floor, self.case.ours].into_iter().enumerate() {
            let place = store.place()?;
            let values = measure(place.name(), self.count)?;
            eprintln!("{}, round {round}, {}: {values:.3?}", self.case.name, ["floor", "evertask"][side]);
            for (samples, value) in self.samples[side].iter_mut().zip(values) {
                samples.add(value);
            }
        }
        Ok(())
    }
}

/// The first argument of the processes that measure memory, and of those that are one worker of several.
pub(crate) const MEMORY_CHILD: &str = "--memory-child";
pub(crate) const WORKER_CHILD: &str = "--worker-child";

/// Tokio's runtime as `#[tokio::main]` makes it; the work is a task of it, as it is in a server.
pub(crate) fn on_runtime<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { tokio::spawn(work).await? })
}

/// What was measured must have happened.
pub(crate) fn expect(conn: &rusqlite::Connection, count: &str, expected: usize) -> Result<()> {
    let found: i64 = conn.query_row(count, [], |row| row.get(0))?;
    if found == i64::try_from(expected)? { Ok(()) } else { Err(format!("{count}: {found}, not {expected}").into()) }
}

fn parse(arguments: &[String]) -> Result<Arguments> {
    // Beside the program: a temporary directory may be in memory.
    let beside = std::env::current_exe()?.parent().ok_or("the program has no directory")?.join("bench-files");
    let mut parsed = Arguments { postgres: false, quick: false, only: None, rounds: 5, dir: beside };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--postgres" => parsed.postgres = true,
            "--quick" => (parsed.quick, parsed.rounds) = (true, 1),
            "--only" => parsed.only = Some(value()?.clone()),
            "--rounds" => parsed.rounds = value()?.parse::<usize>()?.max(1),
            "--dir" => parsed.dir = value()?.into(),
            _ => {
                return Err(format!(
                    "{argument}? There are --postgres, --quick, --only NAME, --rounds N and --dir PATH"
                )
                .into());
            }
        }
    }
    Ok(parsed)
}
