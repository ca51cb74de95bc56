//! Measures evertask and a hand-written SQLite floor of the same durability, in turns, and prints one table.
//!
//! ```text
//! cargo run --release --bin bench -- [--quick] [--only NAME] [--rounds N] [--dir PATH]
//! ```

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use measure::{Samples, Scratch};

mod floor;
mod measure;
mod ours;
mod table;
mod tasks;

/// What can go wrong: the benchmark stops at the first mistake.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Tasks that dispatch at once, tasks that run at once, runs at once.
pub(crate) const AT_ONCE: usize = 16;
/// How many `dispatch_all` is given.
pub(crate) const BATCH: usize = 1_000;
/// A payload of about 100 bytes ..
pub(crate) const PAYLOAD: &str =
    "a payload of about one hundred bytes is what the others were measured with, and so this";
/// .. and as it is stored.
pub(crate) const STORED: &str =
    r#"{"text":"a payload of about one hundred bytes is what the others were measured with, and so this"}"#;

/// One thing that is measured; it may give several lines of the table.
pub(crate) struct Case {
    name: &'static str,
    /// How many, and with `--quick`.
    count: (usize, usize),
    lines: &'static [Line],
    floor: fn(&Path, usize) -> Result<Vec<f64>>,
    ours: fn(&Path, usize) -> Result<Vec<f64>>,
}

/// One line of the table.
pub(crate) struct Line {
    name: &'static str,
    unit: &'static str,
    more_is_better: bool,
}

const fn rate(name: &'static str, unit: &'static str) -> Line {
    Line { name, unit, more_is_better: true }
}

const fn cost(name: &'static str, unit: &'static str) -> Line {
    Line { name, unit, more_is_better: false }
}

const CASES: &[Case] = &[
    Case {
        name: "dispatch-1",
        count: (5_000, 100),
        lines: &[rate("dispatch from 1 task", "tasks/s")],
        floor: floor::dispatch_one,
        ours: ours::dispatch_one,
    },
    Case {
        name: "dispatch-16",
        count: (32_000, 320),
        lines: &[rate("dispatch from 16 tasks", "tasks/s")],
        floor: floor::dispatch_many,
        ours: ours::dispatch_many,
    },
    Case {
        name: "dispatch-all",
        count: (50_000, 1_000),
        lines: &[rate("dispatch_all of 1,000", "tasks/s")],
        floor: floor::dispatch_all,
        ours: ours::dispatch_all,
    },
    Case {
        name: "drain",
        count: (20_000, 500),
        lines: &[rate("drain, concurrency 16", "tasks/s")],
        floor: floor::drain,
        ours: ours::drain,
    },
    Case {
        name: "drain-long",
        count: (200_000, 5_000),
        lines: &[rate("drain of ten times as many", "tasks/s")],
        floor: floor::drain,
        ours: ours::drain,
    },
    Case {
        name: "workflow",
        count: (10_000, 200),
        lines: &[rate("three-step workflow, 16 at once", "runs/s")],
        floor: floor::workflow,
        ours: ours::workflow,
    },
    Case {
        name: "latency",
        count: (500, 20),
        lines: &[cost("idle, dispatch to start, p50", "ms"), cost("idle, dispatch to start, p99", "ms")],
        floor: floor::latency,
        ours: ours::latency,
    },
    Case {
        name: "memory",
        count: (100_000, 1_000),
        lines: &[cost("resident memory, tasks waiting", "MiB")],
        floor: |path, count| in_child("floor", path, count),
        ours: |path, count| in_child("ours", path, count),
    },
];

struct Arguments {
    quick: bool,
    only: Option<String>,
    rounds: usize,
    dir: PathBuf,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [child, side, path, count] = arguments.as_slice()
        && child == MEMORY_CHILD
    {
        let (path, count) = (Path::new(path), count.parse()?);
        let resident = if side == "floor" { floor::memory(path, count)? } else { ours::memory(path, count)? };
        println!("{resident}");
        // The held tasks are left as a crash would leave them.
        std::process::exit(0);
    }
    let arguments = parse(&arguments)?;
    std::fs::create_dir_all(&arguments.dir)?;
    let mut measured: Vec<Measured> = CASES
        .iter()
        .filter(|case| arguments.only.as_deref().is_none_or(|only| case.name.starts_with(only)))
        .map(|case| Measured::new(case, if arguments.quick { case.count.1 } else { case.count.0 }))
        .collect();
    if measured.is_empty() {
        let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
        return Err(format!("nothing to measure; there are {}", names.join(", ")).into());
    }
    let raw_time = Duration::from_millis(if arguments.quick { 10 } else { 200 });
    let mut disk = Samples::default();
    for round in 1..=arguments.rounds {
        for case in &mut measured {
            disk.add(measure::synced_appends(&arguments.dir, raw_time)?);
            case.measure(round, &arguments.dir)?;
        }
    }
    let scratch = Scratch::new(&arguments.dir)?;
    let floor = floor::pragmas(&scratch.file())?;
    drop(scratch);
    let scratch = Scratch::new(&arguments.dir)?;
    let ours = ours::pragmas(&scratch.file())?;
    drop(scratch);
    table::print(&disk, [&floor, &ours], &measured);
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

    /// One round: floor and evertask, each with a file of its own.
    fn measure(&mut self, round: usize, dir: &Path) -> Result<()> {
        for (side, measure) in [self.case.floor, self.case.ours].into_iter().enumerate() {
            let scratch = Scratch::new(dir)?;
            let values = measure(&scratch.file(), self.count)?;
            eprintln!("{}, round {round}, {}: {values:.3?}", self.case.name, ["floor", "evertask"][side]);
            for (samples, value) in self.samples[side].iter_mut().zip(values) {
                samples.add(value);
            }
        }
        Ok(())
    }
}

const MEMORY_CHILD: &str = "--memory-child";

/// Memory is measured in a process of its own.
fn in_child(side: &str, path: &Path, count: usize) -> Result<Vec<f64>> {
    let child =
        Command::new(std::env::current_exe()?).args([MEMORY_CHILD, side]).arg(path).arg(count.to_string()).output()?;
    if !child.status.success() {
        return Err(String::from_utf8_lossy(&child.stderr).into());
    }
    Ok(vec![String::from_utf8(child.stdout)?.trim().parse()?])
}

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
    let mut parsed = Arguments { quick: false, only: None, rounds: 5, dir: beside };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--quick" => (parsed.quick, parsed.rounds) = (true, 1),
            "--only" => parsed.only = Some(value()?.clone()),
            "--rounds" => parsed.rounds = value()?.parse::<usize>()?.max(1),
            "--dir" => parsed.dir = value()?.into(),
            _ => return Err(format!("{argument}? There are --quick, --only NAME, --rounds N and --dir PATH").into()),
        }
    }
    Ok(parsed)
}
