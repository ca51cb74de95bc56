//! The attribute form, a workflow on an edge of a task, and edges of a workflow's own.
#![deny(warnings, missing_docs, clippy::pedantic)]
#![allow(clippy::unused_async)]

use evertask::prelude::*;
use serde::{Deserialize, Serialize};

/// Imports a day.
#[workflow(start => fetch, on_ok => report, on_err => Alert, timeout = "2d", version = 3)]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NightlyImport {
    /// Which.
    pub day: u32,
}

/// The parts of the payload flow, or make the first task's.
#[workflow(start(Reimport { day, .. }) => again, name = "re-import")]
#[derive(Debug, Serialize, Deserialize)]
pub struct Reimport {
    /// Which.
    pub day: u32,
    /// Why.
    pub why: String,
}

impl From<NightlyImport> for fetch {
    fn from(import: NightlyImport) -> Self {
        Self { day: import.day }
    }
}

impl From<NightlyImport> for report {
    fn from(import: NightlyImport) -> Self {
        Self { day: import.day }
    }
}

#[task(on_ok(day) if day > 7 => end_of_week, on_ok(_) => end_of_week { day: 7 })]
async fn fetch(day: u32) -> Result<u32, String> {
    Ok(day)
}

// A run of a workflow follows a task.
#[task(on_ok => NightlyImport)]
async fn end_of_week(day: u32) -> Result<NightlyImport, String> {
    Ok(NightlyImport { day })
}

#[task(on_ok(day) => NightlyImport { day: day + 1 } after "1d")]
async fn again(day: u32) -> Result<u32, String> {
    Ok(day)
}

#[task]
async fn report(day: u32) -> Result<(), String> {
    Err(day.to_string())
}

/// Wakes somebody up.
#[task]
#[derive(Debug, Serialize, Deserialize)]
pub struct Alert {
    /// Why.
    pub text: String,
}

impl From<FailureReport> for Alert {
    fn from(failure: FailureReport) -> Self {
        Self { text: failure.to_string() }
    }
}

impl Handler for Alert {
    type Output = ();
    type Error = String;

    async fn run(self, _: &Context) -> Result<(), String> {
        Err(self.text)
    }
}

fn main() {
    let entry = NightlyImport::entry();
    assert_eq!((entry.name, entry.version), ("NightlyImport", 3));
    assert!(entry.end.is_some());
    assert!(Reimport::entry().end.is_none());
    assert_eq!(<Reimport as Work>::NAME, "re-import");
}
