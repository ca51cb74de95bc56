//! How work fails, as data: typed for the code that handles it, as text for the record.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use uuid::Uuid;

use crate::task::Work;

/// Why an attempt, or a task in all, did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause<E> {
    /// The handler returned an error.
    Error(E),
    /// The attempt took longer than the task's `timeout`.
    TimedOut(Duration),
    /// Its `deadline` passed before it had succeeded: while it ran, waited, or before another attempt.
    DeadlinePassed,
    /// The handler, or a conversion on an edge, panicked with this message.
    Panicked(String),
    /// The workers that ran it died or lost their lease this many times.
    Crashed(u32),
    /// What was to commit with its success could not be written: see `Context::on_commit`.
    NotCommitted(String),
    /// The handler succeeded, and its output is larger than
    /// [`Dispatcher::max_payload`](crate::Dispatcher::max_payload) lets it be.
    OutputTooLarge {
        /// Its length, in bytes of JSON.
        length: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// It was cancelled.
    Cancelled,
}

impl<E> Cause<E> {
    /// The kind of this cause, without its data.
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Error(_) => FailureKind::Error,
            Self::TimedOut(_) => FailureKind::Timeout,
            Self::DeadlinePassed => FailureKind::Deadline,
            Self::Panicked(_) => FailureKind::Panic,
            Self::Crashed(_) => FailureKind::Crash,
            Self::NotCommitted(_) => FailureKind::NotCommitted,
            Self::OutputTooLarge { .. } => FailureKind::OutputTooLarge,
            Self::Cancelled => FailureKind::Cancelled,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Cause<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::TimedOut(limit) => write!(f, "timed out after {limit:?}"),
            Self::DeadlinePassed => f.write_str("its deadline has passed"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Crashed(1) => f.write_str("the worker that ran it died"),
            Self::Crashed(times) => write!(f, "{times} workers that ran it died"),
            Self::NotCommitted(reason) => write!(f, "what was to commit with it failed: {reason}"),
            Self::OutputTooLarge { length, limit } => write!(
                f,
                "its output has {length} bytes, and may have {limit}: keep it in a file or an object store and give its \
                 name, or raise `Dispatcher::max_payload`"
            ),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// The kind of a failure, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The handler returned an error.
    Error,
    /// Too slow.
    Timeout,
    /// Its deadline passed.
    Deadline,
    /// A panic.
    Panic,
    /// The workers that ran it died.
    Crash,
    /// What was to commit with its success could not be written.
    NotCommitted,
    /// The output was too large.
    OutputTooLarge,
    /// It was cancelled.
    Cancelled,
    /// The workflow said so: `fail(..)`.
    Declared,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Timeout => "time-out",
            Self::Deadline => "deadline",
            Self::Panic => "panic",
            Self::Crash => "crash",
            Self::NotCommitted => "not committed",
            Self::OutputTooLarge => "output too large",
            Self::Cancelled => "cancelled",
            Self::Declared => "failed by the workflow",
        })
    }
}

/// A task that failed for good: what it was given, why, and after how many attempts.
///
/// This is what `on_failure(f)`, `on_timeout(f)` and `on_cancel(f)` bind. It shows as its cause does.
pub struct Failure<T: Work> {
    /// What the task was given.
    pub payload: T,
    /// Why it failed.
    pub cause: Cause<T::Error>,
    /// How many attempts were counted, this one included.
    pub attempts: u32,
    /// The task, or the run, that failed.
    pub id: T::Id,
}

impl<T: Work> fmt::Display for Failure<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl<T: Work> fmt::Debug for Failure<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure of `{}` {} after {} attempts: {}", T::NAME, self.id, self.attempts, self.cause)
    }
}

/// A failure without its types: what the store keeps, and what a workflow fails with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureReport {
    /// The name of the task that failed.
    pub task: String,
    /// The id of the task, or of the run where a workflow failed.
    pub id: Uuid,
    /// What kind of failure.
    pub kind: FailureKind,
    /// What the error, the panic or the workflow said.
    pub message: String,
    /// How many attempts were counted.
    pub attempts: u32,
}

impl FailureReport {
    pub(crate) fn new(task: &str, id: Uuid, kind: FailureKind, message: String, attempts: u32) -> Self {
        Self { task: task.to_owned(), id, kind, message, attempts }
    }
}

impl fmt::Display for FailureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}): {}", self.task, self.kind, self.message)
    }
}

impl std::error::Error for FailureReport {}

impl<T: Work> Failure<T> {
    /// The failure without its types.
    pub fn report(&self) -> FailureReport {
        FailureReport::new(T::NAME, self.id.into().uuid(), self.cause.kind(), self.cause.to_string(), self.attempts)
    }
}

impl<T: Work> From<Failure<T>> for FailureReport {
    fn from(failure: Failure<T>) -> Self {
        failure.report()
    }
}

/// The task was asked to stop: what `Context::check_cancelled` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;
