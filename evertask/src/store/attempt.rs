//! A claimed task, and what its attempt came to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::FailureReport;
use crate::id::TaskId;
use crate::schedule::Timestamp;
use crate::store::{Arrival, NewTask, NewWork, OnCommit, StepOf};

/// The right to end one attempt. The fence is new at each claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The task.
    pub id: TaskId,
    /// The fence.
    pub fence: i64,
}

/// A claimed task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The right to end it.
    pub claim: Claim,
    /// The name of the task.
    pub name: String,
    /// Its queue.
    pub queue: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// Attempts that failed before.
    pub failures: u32,
    /// Workers that died with it before.
    pub crashes: u32,
    /// What it belongs to.
    pub correlation: Option<String>,
    /// The run that it is part of.
    pub of: Option<StepOf>,
    /// When its time in all is up.
    pub deadline: Option<Timestamp>,
    /// What its dispatch said of how it runs, as JSON.
    pub own: Option<Vec<u8>>,
    /// Whether it was cancelled before it started, and is claimed only for what follows a cancel.
    pub cancelled: bool,
    /// What it waited for, if it has got it: a signal (its payload is the value), or a run (its end).
    pub got: Option<Got>,
}

/// What a task had waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Got {
    /// A signal, whose value is the payload.
    Signal,
    /// No signal in its time.
    Nothing,
    /// The end of its run, which is the payload.
    Run,
    /// The outputs of the members of its join, as a JSON array, which is the payload.
    Join,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The right to say so.
    pub claim: Claim,
    /// What it came to.
    pub verdict: Verdict,
    /// Progress and log lines that were not kept yet.
    pub notes: Notes,
}

/// What an attempt came to: the one path by which a running task changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// running -> succeeded.
    Succeeded {
        /// The output, as JSON.
        output: Vec<u8>,
        /// What follows.
        next: Follow,
    },
    /// running -> failed.
    Failed {
        /// Why.
        report: FailureReport,
        /// The error, where its type can be stored.
        error: Option<Vec<u8>>,
        /// What follows.
        next: Follow,
    },
    /// running -> cancelled.
    Cancelled {
        /// What follows; kept even when the run is being cancelled.
        next: Follow,
    },
    /// running -> ready, after a counted failure.
    Retry {
        /// Why.
        report: FailureReport,
        /// When it is due again.
        delay: Duration,
    },
    /// running -> ready, because the handler put it off. Not a failure.
    Snoozed {
        /// When it is due again.
        delay: Duration,
    },
    /// running -> ready, because the worker stopped. Neither a failure nor an attempt.
    Interrupted,
    /// running -> parked.
    Parked {
        /// What could not be read.
        reason: ParkReason,
        /// In words.
        detail: String,
    },
}

/// What follows an ended task, in its transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Follow {
    /// Continuations, and what the handler dispatched.
    pub work: Vec<NewWork>,
    /// The run's output, as JSON.
    pub output: Option<Vec<u8>>,
    /// The run fails.
    pub failure: Option<FailureReport>,
    /// What undoes the task that has ended, if its run fails later.
    pub undo: Option<NewTask>,
    /// The join that the task has arrived at.
    pub arrival: Option<Arrival>,
    /// What its handler writes with it to tables of its own.
    pub on_commit: OnCommit,
}

/// Side notes of a running task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// Done, of how many.
    pub progress: Option<(u64, u64)>,
    /// Log lines.
    pub lines: Vec<LogLine>,
}

impl Notes {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.progress.is_none() && self.lines.is_empty()
    }
}

/// One line that a handler logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// In which attempt, by its fence.
    pub fence: i64,
    /// What.
    pub text: String,
}

/// Why a task is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ParkReason {
    /// No worker that is listed knows a task of this name.
    UnknownTask,
    /// No worker that is listed has this step of this workflow.
    UnknownStep,
    /// The payload no longer decodes.
    Undecodable,
}

impl ParkReason {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTask => "unknown_task",
            Self::UnknownStep => "unknown_step",
            Self::Undecodable => "undecodable",
        }
    }
}

/// Whether an attempt could be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It was; it is on disk.
    Committed,
    /// The claim had been lost: nothing changed.
    Fenced,
}
