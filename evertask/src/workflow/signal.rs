//! A step that waits for a value from outside.

use std::convert::Infallible;
use std::marker::PhantomData;

use crate::__private::Step;
use crate::failure::FailureReport;
use crate::id::{TaskId, WorkId};
use crate::payload::{CodecError, Payload};
use crate::registry::{Registered, SIGNAL};
use crate::store::NewWork;
use crate::task::Work;
use crate::workflow::{Draft, OfSignal};

/// What a step waits for. Generated code has a type of its own for each, so that a value that can't be stored is one
/// error, where its type is written.
pub trait Awaited: 'static {
    /// The value.
    type Value: Payload;
}

/// What a `wait` step is, for its arms: work that gives the value of `S`, if that comes in time.
#[derive(Debug)]
pub struct Signal<S>(PhantomData<fn() -> S>);

#[diagnostic::do_not_recommend]
impl<S: Awaited> Payload for Signal<S> {
    fn encode(&self, into: &mut Vec<u8>) -> Result<(), CodecError> {
        into.extend_from_slice(b"null");
        Ok(())
    }

    fn decode(_: &[u8]) -> Result<Self, CodecError> {
        Ok(Self(PhantomData))
    }
}

#[diagnostic::do_not_recommend]
impl<S: Awaited> Work for Signal<S> {
    type Output = S::Value;
    type Error = Infallible;
    type Id = TaskId;
    const NAME: &'static str = SIGNAL;

    fn prepare(self, _: Draft) -> Result<NewWork, CodecError> {
        Err(CodecError::Encode { what: SIGNAL, reason: "a signal is no work of its own".to_owned() })
    }

    fn registered() -> Registered {
        Registered::Signal
    }

    fn id(id: WorkId) -> Option<TaskId> {
        match id {
            WorkId::Task(id) => Some(id),
            WorkId::Run(_) => None,
        }
    }

    fn typed_error(_: &FailureReport, _: Option<&[u8]>) -> Option<Infallible> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<S> Step for Signal<S> {
    type Work = Self;
    type Kind = OfSignal;
}

/// The name of a signal of a workflow, with the type of its value: `Review::approval`.
#[derive(Debug)]
pub struct SignalKey<W, V> {
    step: &'static str,
    was: &'static [&'static str],
    of: PhantomData<fn() -> (W, V)>,
}

impl<W, V> SignalKey<W, V> {
    /// The signal that this step waits for, which had these names before.
    #[doc(hidden)]
    pub const fn new(step: &'static str, was: &'static [&'static str]) -> Self {
        Self { step, was, of: PhantomData }
    }

    /// The step's name.
    pub const fn step(&self) -> &'static str {
        self.step
    }

    /// Names that the step had in earlier versions.
    pub const fn was(&self) -> &'static [&'static str] {
        self.was
    }
}

impl<W, V> Clone for SignalKey<W, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W, V> Copy for SignalKey<W, V> {}
