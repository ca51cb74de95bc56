//! From an ended task to the work that follows it.

use crate::failure::{Cause, Failure, FailureReport};
use crate::payload::{CodecError, Payload};
use crate::store::Earlier;
use crate::task::Work;
use crate::workflow::Next;

/// How a task ended, for the code that decides what follows.
pub enum Ended<T: Work> {
    /// With this output.
    Ok(T::Output),
    /// Without.
    Failed(Fault<T>),
}

/// What went wrong; the payload is read back only where an arm wants it.
pub struct Fault<T: Work> {
    /// Why.
    pub cause: Cause<T::Error>,
    /// Attempts counted.
    pub attempts: u32,
    /// Which task, or which run.
    pub id: T::Id,
}

impl<T: Work> Fault<T> {
    /// With the payload, for an arm that binds the failure.
    pub fn with(self, stored: Stored<'_>) -> Result<Failure<T>, RouteError> {
        Ok(Failure { payload: stored.payload()?, cause: self.cause, attempts: self.attempts, id: self.id })
    }

    /// A failure that no arm took, for the arms after those that bind it.
    pub fn put_back(failure: Failure<T>) -> Self {
        Self { cause: failure.cause, attempts: failure.attempts, id: failure.id }
    }

    /// Without its types, for a run that fails with it.
    pub fn report(&self) -> FailureReport {
        FailureReport::new(T::NAME, self.id.into().uuid(), self.cause.kind(), self.cause.to_string(), self.attempts)
    }
}

/// What is stored that an arm may ask for: the payload of the task that ended, and what its run had before.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    pub(crate) payload: &'a [u8],
    pub(crate) earlier: Option<&'a Earlier>,
}

impl Stored<'_> {
    /// The payload of the task that ended.
    pub fn payload<T: Payload>(self) -> Result<T, RouteError> {
        Ok(T::decode(self.payload)?)
    }

    /// The output of an earlier step: the first of those under its names, which the step's entry lists here.
    pub fn earlier<T: Payload>(self, names: std::ops::Range<usize>) -> Result<T, RouteError> {
        let outputs = self.earlier.and_then(|earlier| earlier.outputs.get(names));
        let output = outputs.into_iter().flatten().find_map(Option::as_deref);
        Ok(T::decode(output.ok_or(RouteError::Missing { what: "the output of an earlier step" })?)?)
    }

    /// The run's own payload.
    pub fn input<T: Payload>(self) -> Result<T, RouteError> {
        let earlier = self.earlier.ok_or(RouteError::Missing { what: "the input of the run" })?;
        Ok(T::decode(&earlier.input)?)
    }
}

/// What follows could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// A payload could not be encoded or read back.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The run does not have what the macro has proved that it has: its steps were another version's.
    #[error("the run does not have {what}: it was started by another version of its workflow")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// A pause on an edge can't be read.
    #[error(transparent)]
    Pause(#[from] crate::DurationError),
}

/// The arms of a task or of a step, as generated code.
pub trait Route<T: Work> {
    /// Whether there is an `on_cancel` arm: then a worker ends a cancelled task, so that the arm runs.
    const ON_CANCEL: bool = false;

    /// Says what follows. An end that no arm takes is [`Next::unrouted`].
    fn route(ended: Ended<T>, stored: Stored<'_>, next: &mut Next<'_>) -> Result<(), RouteError>;
}
