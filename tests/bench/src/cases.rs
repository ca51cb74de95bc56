//! What is measured, on each store.

use std::process::Command;

use crate::floor::{postgres, sqlite};
use crate::{MEMORY_CHILD, Result, ours};

/// One thing that is measured; it may give several lines of the table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// How many, and with `--quick`.
    pub(crate) count: (usize, usize),
    pub(crate) lines: &'static [Line],
    pub(crate) floor: Measure,
    pub(crate) ours: Measure,
}

/// Measures in a place, a file's path or a schema's URL, so many; it gives the value of each line.
type Measure = fn(&str, usize) -> Result<Vec<f64>>;

/// One line of the table.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) more_is_better: bool,
}

const fn rate(name: &'static str, unit: &'static str) -> Line {
    Line { name, unit, more_is_better: true }
}

const fn cost(name: &'static str, unit: &'static str) -> Line {
    Line { name, unit, more_is_better: false }
}

/// On a SQLite file.
pub(crate) const SQLITE: &[Case] = &[
    Case {
        name: "dispatch-1",
        count: (5_000, 100),
        lines: &[rate("dispatch from 1 task", "tasks/s")],
        floor: sqlite::dispatch_one,
        ours: ours::dispatch_one,
    },
    Case {
        name: "dispatch-16",
        count: (32_000, 320),
        lines: &[rate("dispatch from 16 tasks", "tasks/s")],
        floor: sqlite::dispatch_many,
        ours: ours::dispatch_many,
    },
    Case {
        name: "dispatch-all",
        count: (50_000, 1_000),
        lines: &[rate("dispatch_all of 1,000", "tasks/s")],
        floor: sqlite::dispatch_all,
        ours: ours::dispatch_all,
    },
    Case {
        name: "drain",
        count: (20_000, 500),
        lines: &[rate("drain, concurrency 16", "tasks/s")],
        floor: sqlite::drain,
        ours: ours::drain,
    },
    Case {
        name: "drain-long",
        count: (200_000, 5_000),
        lines: &[rate("drain of ten times as many", "tasks/s")],
        floor: sqlite::drain,
        ours: ours::drain,
    },
    Case {
        name: "workflow",
        count: (10_000, 200),
        lines: &[rate("three-step workflow, 16 at once", "runs/s")],
        floor: sqlite::workflow,
        ours: ours::workflow,
    },
    Case {
        name: "latency",
        count: (500, 20),
        lines: &[cost("idle, dispatch to start, p50", "ms"), cost("idle, dispatch to start, p99", "ms")],
        floor: sqlite::latency,
        ours: ours::latency,
    },
    Case {
        name: "memory",
        count: (100_000, 1_000),
        lines: &[cost("resident memory, tasks waiting", "MiB")],
        floor: |place, count| in_child("floor", place, count),
        ours: |place, count| in_child("ours", place, count),
    },
];

/// In a schema of a PostgreSQL server.
pub(crate) const POSTGRES: &[Case] = &[
    Case {
        name: "dispatch-1",
        count: (5_000, 100),
        lines: &[rate("dispatch from 1 task", "tasks/s")],
        floor: postgres::dispatch_one,
        ours: ours::dispatch_one,
    },
    Case {
        name: "dispatch-16",
        count: (32_000, 320),
        lines: &[rate("dispatch from 16 tasks", "tasks/s")],
        floor: postgres::dispatch_many,
        ours: ours::dispatch_many,
    },
    Case {
        name: "dispatch-all",
        count: (50_000, 1_000),
        lines: &[rate("dispatch_all of 1,000", "tasks/s")],
        floor: postgres::dispatch_all,
        ours: ours::dispatch_all,
    },
    Case {
        name: "drain-short",
        count: (2_000, 200),
        lines: &[rate("drain, concurrency 16", "tasks/s")],
        floor: postgres::drain,
        ours: ours::drain,
    },
    Case {
        name: "drain",
        count: (20_000, 500),
        lines: &[rate("drain of ten times as many", "tasks/s")],
        floor: postgres::drain,
        ours: ours::drain,
    },
    Case {
        name: "drain-long",
        count: (200_000, 1_000),
        lines: &[rate("drain of a hundred times as many", "tasks/s")],
        floor: postgres::drain,
        ours: ours::drain,
    },
    Case {
        name: "drain-wide",
        count: (20_000, 500),
        lines: &[rate("drain, concurrency 100", "tasks/s")],
        floor: postgres::drain_wide,
        ours: ours::drain_wide,
    },
    Case {
        name: "workers-1",
        count: (40_000, 500),
        lines: &[rate("drain by 1 worker process", "tasks/s")],
        floor: postgres::drain,
        ours: ours::drain_by_one,
    },
    Case {
        name: "workers-2",
        count: (40_000, 500),
        lines: &[rate("drain by 2 worker processes", "tasks/s")],
        floor: postgres::drain_by_two,
        ours: ours::drain_by_two,
    },
    Case {
        name: "workers-3",
        count: (40_000, 500),
        lines: &[rate("drain by 3 worker processes", "tasks/s")],
        floor: postgres::drain_by_three,
        ours: ours::drain_by_three,
    },
    Case {
        name: "workflow",
        count: (10_000, 200),
        lines: &[rate("three-step workflow, 16 at once", "runs/s")],
        floor: postgres::workflow,
        ours: ours::workflow,
    },
    Case {
        name: "latency",
        count: (0, 0),
        lines: &[
            cost("idle, dispatch to start, p50", "ms"),
            cost("idle, dispatch to start, p99", "ms"),
            cost("beside 1,000 tasks/s, p50", "ms"),
            cost("beside 1,000 tasks/s, p99", "ms"),
        ],
        floor: postgres::latency,
        ours: ours::latency_beside,
    },
    Case {
        name: "latency-million",
        count: (1_000_000, 1_000),
        lines: &[
            cost("idle, with so many finished, p50", "ms"),
            cost("idle, with so many finished, p99", "ms"),
            cost("beside 1,000 tasks/s, with so many finished, p50", "ms"),
            cost("beside 1,000 tasks/s, with so many finished, p99", "ms"),
        ],
        floor: postgres::latency,
        ours: ours::latency_beside,
    },
];

/// Memory is measured in a process of its own.
fn in_child(side: &str, place: &str, count: usize) -> Result<Vec<f64>> {
    let child =
        Command::new(std::env::current_exe()?).args([MEMORY_CHILD, side, place, &count.to_string()]).output()?;
    if !child.status.success() {
        return Err(String::from_utf8_lossy(&child.stderr).into());
    }
    Ok(vec![String::from_utf8(child.stdout)?.trim().parse()?])
}
