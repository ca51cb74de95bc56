//! Ending a task in a transaction of its handler's.

use std::any::TypeId;
use std::sync::{Arc, Weak};

use super::attempt::{Attempt, decode, route};
use super::contain::caught;
use crate::context::{CompleteError, Completes, Completion};
use crate::store::{Finished, Follow, Verdict};
use crate::task::{Handler, Task};
use crate::workflow::{Ended, Route};

/// An attempt that runs, as its context has it.
struct Running {
    attempt: Weak<Attempt>,
    follow: fn(&Attempt, TypeId, &str, &[u8]) -> Result<Follow, CompleteError>,
}

/// Lets the handler of an attempt end its task.
pub(super) fn let_complete<T: Task, R: Route<T>>(attempt: &Arc<Attempt>) {
    attempt.cx.let_complete(Box::new(Running { attempt: Arc::downgrade(attempt), follow: follow::<T, R> }));
}

impl Completes for Running {
    fn complete(&self, given: TypeId, name: &str, output: Vec<u8>) -> Result<Completion, CompleteError> {
        let attempt = self.attempt.upgrade().ok_or(CompleteError::NoAttempt)?;
        let mut next = (self.follow)(&attempt, given, name, &output)?;
        let (dispatched, notes) = attempt.cx.so_far();
        next.work.extend(dispatched);
        let finished = Finished { claim: attempt.cx.claim(), verdict: Verdict::Succeeded { output, next }, notes };
        Ok((attempt.store.clone(), finished))
    }
}

/// What follows this output. The handler keeps its own; what follows gets what is stored.
fn follow<T: Task, R: Route<T>>(
    attempt: &Attempt,
    given: TypeId,
    name: &str,
    output: &[u8],
) -> Result<Follow, CompleteError> {
    if given != TypeId::of::<<T as Handler>::Output>() {
        let expected = std::any::type_name::<<T as Handler>::Output>();
        return Err(CompleteError::Output { task: <T as Task>::NAME, expected, given: name.to_owned() });
    }
    let routed = caught(|| {
        let output = decode::<<T as Handler>::Output>(output)?;
        route::<T, R>(attempt, Ended::Ok(output))
    });
    match routed {
        Ok(Ok(next)) => Ok(next),
        Ok(Err(error)) => Err(CompleteError::Unroutable { reason: error.to_string() }),
        Err(message) => Err(CompleteError::Unroutable { reason: format!("its edge panicked: {message}") }),
    }
}
