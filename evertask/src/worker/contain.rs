//! The panics of user code end here: those of a future, of its drop, and of what it panicked with.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs a future to its end, or to its panic, and drops it; a panic of the drop is one of the future.
pub(super) struct Catching<F> {
    future: Option<Pin<Box<F>>>,
}

impl<F> Catching<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future: Some(Box::pin(future)) }
    }

    /// Drops the future now. Gives the message, if that panics.
    pub(super) fn give_up(&mut self) -> Option<String> {
        let future = self.future.take();
        caught(|| drop(future)).err()
    }
}

impl<F: Future> Future for Catching<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = self.future.as_mut() else { return Poll::Pending };
        let result = match caught(|| future.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(message) => Err(message),
        };
        Poll::Ready(match self.give_up() {
            None => result,
            Some(message) => result.and(Err(message)),
        })
    }
}

impl<F> Drop for Catching<F> {
    fn drop(&mut self) {
        if let Some(message) = self.give_up() {
            tracing::error!(message, "a future panicked when it was dropped");
        }
    }
}

/// What user code gives, or what it panicked with.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(message_of)
}

/// What a panic says.
fn message_of(panic: Box<dyn Any + Send>) -> String {
    let message = if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    };
    // It may panic again, and so may what that panics with: that one is never dropped.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
    message
}
