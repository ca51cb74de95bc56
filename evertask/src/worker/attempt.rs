//! One attempt of one task: decode, run under its time-out, catch what it does, decide what follows.
//! Whatever happens comes out as one [`Verdict`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::contain::{Catching, caught};
use super::manner::Manner;
use super::prepare::prepare;
use crate::advice::RetryAdvice;
use crate::context::{Context, Stop};
use crate::failure::{Cause, FailureReport};
use crate::payload::{CodecError, Payload};
use crate::registry::StepEntry;
use crate::store::{Claim, Claimed, Earlier, Finished, Follow, Notes, OnCommit, ParkReason, Store, TaskState, Verdict};
use crate::task::{Handler, Task, Work};
use crate::workflow::{Ended, Fault, Next, Route, RouteError, Stored};

/// The longest that a hook may take: it is a side note.
const HOOK_LIMIT: Duration = Duration::from_secs(5);

/// A claimed task, with all that its attempt needs.
pub(crate) struct Attempt {
    pub(crate) cx: Context,
    pub(crate) claimed: Claimed,
    pub(crate) workflow: Option<&'static str>,
    pub(crate) step: Option<&'static StepEntry>,
    pub(crate) store: Arc<dyn Store>,
    /// What the run had before, as far as the step's arms name it.
    pub(crate) earlier: Option<Earlier>,
    pub(crate) manner: Manner,
    pub(crate) max_crashes: u32,
    pub(crate) grace: Duration,
}

impl Attempt {
    /// What follows it, to be filled.
    pub(super) fn next(&self) -> Next<'_> {
        let run = self.claimed.of.as_ref().map(|of| of.run);
        Next::new(self.cx.id(), self.cx.correlation_id(), run, self.workflow)
    }

    /// The pause before the next attempt, if there is one.
    fn again(&self, failures: u32, advice: RetryAdvice) -> Option<Duration> {
        self.manner.again(failures, self.cx.id(), advice, self.cx.now())
    }
}

/// How an attempt runs: the generic code below, for one task and its arms.
pub(crate) type Runner = fn(Attempt) -> Attempting;

/// An attempt that runs.
pub(crate) type Attempting = Pin<Box<dyn Future<Output = Over> + Send>>;

/// An attempt whose handler has ended.
pub(crate) struct Over {
    pub(crate) finished: Finished,
    /// How it ends if what was to commit with it is refused, for this reason.
    pub(crate) otherwise: Option<Otherwise>,
}

/// Ends an attempt another way.
pub(crate) type Otherwise = Box<dyn FnOnce(String) -> Attempting + Send>;

impl From<Finished> for Over {
    fn from(finished: Finished) -> Self {
        Self { finished, otherwise: None }
    }
}

/// The runner of the task `T` with the arms `R`.
pub(crate) fn attempt_runner<T: Task, R: Route<T>>(mut attempt: Attempt) -> Attempting {
    Box::pin(async move {
        if let Err(verdict) = prepare(&mut attempt).await {
            return finished(&attempt.cx, verdict).into();
        }
        let attempt = Arc::new(attempt);
        #[cfg(feature = "postgres")]
        if attempt.store.as_any().is::<crate::store::PostgresStore>() {
            super::complete::let_complete::<T, R>(&attempt);
        }
        let verdict = verdict_of::<T, R>(&attempt).await;
        let can_be_refused =
            matches!(&verdict, Verdict::Succeeded { next, .. } if next.on_commit != OnCommit::default());
        let finished = finished(&attempt.cx, verdict);
        let otherwise =
            can_be_refused.then(|| Box::new(move |reason| not_committed::<T, R>(attempt, reason)) as Otherwise);
        Over { finished, otherwise }
    })
}

/// What was to commit with the success of this attempt could not be written: it has failed.
fn not_committed<T: Task, R: Route<T>>(attempt: Arc<Attempt>, reason: String) -> Attempting {
    Box::pin(async move {
        let verdict = ended_without_success::<T, R>(&attempt, Cause::NotCommitted(reason)).await;
        finished(&attempt.cx, verdict).into()
    })
}

pub(super) fn finished(cx: &Context, verdict: Verdict) -> Finished {
    Finished { claim: cx.claim(), verdict, notes: cx.take_notes() }
}

/// What an attempt comes to when its own code can't say: it panicked outside of all that is caught.
pub(crate) fn escaped(cx: &Context, message: String) -> Finished {
    let report = FailureReport::new(cx.name(), cx.id().uuid(), crate::FailureKind::Panic, message, cx.attempt());
    Finished { claim: cx.claim(), verdict: failed_for_good(report), notes: cx.take_notes() }
}

/// What an attempt comes to whose result the store refuses.
pub(super) fn refused(claim: Claim, name: &str, message: String, attempts: u32) -> Finished {
    let report = FailureReport::new(name, claim.id.uuid(), crate::FailureKind::Error, message, attempts);
    Finished { claim, verdict: failed_for_good(report), notes: Notes::default() }
}

async fn verdict_of<T: Task, R: Route<T>>(attempt: &Attempt) -> Verdict {
    let cause = if attempt.claimed.cancelled {
        Cause::Cancelled
    } else if attempt.claimed.crashes >= attempt.max_crashes {
        Cause::Crashed(attempt.claimed.crashes)
    } else if attempt.manner.is_late(attempt.cx.now()) {
        Cause::DeadlinePassed
    } else {
        let payload = match decode::<T>(&attempt.claimed.payload) {
            Ok(payload) => payload,
            Err(error) => return undecodable(&error),
        };
        match drive(attempt, payload).await {
            Driven::Done(Ok(output)) => return succeeded::<T, R>(attempt, output).await,
            Driven::Done(Err(cause)) => cause,
            Driven::Snoozed(delay) => return Verdict::Snoozed { delay },
            Driven::Interrupted => return Verdict::Interrupted,
        }
    };
    ended_without_success::<T, R>(attempt, cause).await
}

/// What the handler did.
enum Driven<O, E> {
    Done(Result<O, Cause<E>>),
    Snoozed(Duration),
    Interrupted,
}

/// Runs the handler until it returns, panics, is too slow, puts itself off, or is told to stop.
async fn drive<T: Task>(attempt: &Attempt, payload: T) -> Driven<T::Output, T::Error> {
    let cx = &attempt.cx;
    let mut handler = Catching::new(async {
        if T::HOOKS {
            hook(cx, "on_started", payload.on_started(cx)).await;
        }
        payload.run(cx).await
    });
    let driven = tokio::select! {
        biased;
        result = &mut handler => returned(cx, result),
        delay = cx.until_snoozed() => Driven::Snoozed(delay),
        limit = too_late(cx, attempt.manner.limit(cx.now())) => {
            cx.tell(Stop::TimedOut);
            // Whatever it returns now comes too late.
            tokio::select! {
                late = &mut handler => drop(caught(|| drop(late))),
                () = tokio::time::sleep(attempt.grace) => {}
                _ = cx.stopped(|stop| stop == Stop::Aborted) => {}
            }
            Driven::Done(Err(attempt.manner.too_slow(limit)))
        }
        stop = told_to_end(cx, attempt.grace) => match stop {
            Stop::Cancelled => Driven::Done(Err(Cause::Cancelled)),
            _ => Driven::Interrupted,
        },
    };
    if let Some(message) = handler.give_up() {
        tracing::warn!(task = cx.name(), id = %cx.id(), message, "a handler panicked when it was dropped");
        cx.log(format!("it panicked when it was dropped: {message}"));
    }
    driven
}

/// What the handler's result comes to, after all that it was told.
fn returned<O, E>(cx: &Context, result: Result<Result<O, E>, String>) -> Driven<O, E> {
    if let Some(delay) = cx.snoozed() {
        return Driven::Snoozed(delay);
    }
    match (result, cx.stop()) {
        (Ok(Ok(output)), _) => Driven::Done(Ok(output)),
        // An error after it was told to stop is how a handler stops.
        (_, Stop::Cancelled) => Driven::Done(Err(Cause::Cancelled)),
        (_, Stop::Interrupted | Stop::Aborted) => Driven::Interrupted,
        (Ok(Err(error)), _) => Driven::Done(Err(Cause::Error(error))),
        (Err(message), _) => Driven::Done(Err(Cause::Panicked(message))),
    }
}

/// Completes when the attempt has taken too long. One that was cancelled has its grace instead.
async fn too_late(cx: &Context, limit: Option<Duration>) -> Duration {
    if let Some(limit) = limit {
        tokio::time::sleep(limit).await;
        if cx.stop() != Stop::Cancelled {
            return limit;
        }
    }
    std::future::pending().await
}

/// Completes when the handler's future is to be dropped.
async fn told_to_end(cx: &Context, grace: Duration) -> Stop {
    let stop = cx.stopped(|stop| matches!(stop, Stop::Cancelled | Stop::Aborted)).await;
    if stop == Stop::Cancelled {
        tokio::select! {
            () = tokio::time::sleep(grace) => {}
            _ = cx.stopped(|stop| stop == Stop::Aborted) => return Stop::Aborted,
        }
    }
    stop
}

async fn succeeded<T: Task, R: Route<T>>(attempt: &Attempt, output: <T as Handler>::Output) -> Verdict {
    let mut stored = Vec::new();
    let stored = match caught(|| output.encode(&mut stored).map(|()| stored)) {
        Ok(Ok(stored)) => stored,
        Ok(Err(error)) => return unroutable::<T>(attempt, &error.into()),
        Err(message) => return failed(attempt, <T as Task>::NAME, &Cause::<T::Error>::Panicked(message)),
    };
    if let Some((length, limit)) = attempt.cx.overlong(&stored) {
        // The output is the user's, and so is its drop.
        if let Err(message) = caught(|| drop(output)) {
            attempt.cx.log(format!("its output panicked when it was dropped: {message}"));
        }
        return ended_without_success::<T, R>(attempt, Cause::OutputTooLarge { length, limit }).await;
    }
    if T::HOOKS {
        hook_with::<T>(attempt, "on_completed", async |payload, cx| payload.on_completed(&output, cx).await).await;
    }
    let routed = caught(|| {
        let mut follow = route::<T, R>(attempt, Ended::Ok(output))?;
        follow.work.append(&mut attempt.cx.take_dispatched());
        follow.on_commit = attempt.cx.take_effects();
        Ok::<_, RouteError>(Verdict::Succeeded { output: stored, next: follow })
    });
    match routed {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => unroutable::<T>(attempt, &error),
        Err(message) => failed(attempt, <T as Task>::NAME, &Cause::<T::Error>::Panicked(message)),
    }
}

async fn ended_without_success<T: Task, R: Route<T>>(attempt: &Attempt, cause: Cause<T::Error>) -> Verdict {
    if is_complete(attempt).await {
        // Its answer was lost, or what came after that went wrong. This is refused, as whatever else would be.
        return Verdict::Interrupted;
    }
    let attempts = attempt.claimed.failures.saturating_add(1);
    let retry = match &cause {
        Cause::Cancelled | Cause::Crashed(_) | Cause::DeadlinePassed => None,
        Cause::Error(error) => attempt.again(attempts, advice::<T>(attempt, error)),
        _ => attempt.again(attempts, RetryAdvice::Usual),
    };
    if let Some(delay) = retry {
        if T::HOOKS {
            hook_with::<T>(attempt, "on_retry", async |payload, cx| payload.on_retry(&cause, delay, cx).await).await;
        }
        let report = report(attempt, <T as Task>::NAME, &cause, attempts);
        // The error is the user's, and so is its drop.
        if let Err(message) = caught(|| drop(cause)) {
            attempt.cx.log(format!("its error panicked when it was dropped: {message}"));
        }
        return Verdict::Retry { report, delay };
    }
    if T::HOOKS {
        hook_with::<T>(attempt, "on_error", async |payload, cx| payload.on_error(&cause, cx).await).await;
    }
    let report = report(attempt, <T as Task>::NAME, &cause, attempts);
    let cancelled = matches!(cause, Cause::Cancelled);
    let routed = caught(|| {
        let error = match &cause {
            Cause::Error(error) => T::encode_error(error),
            _ => None,
        };
        let fault = Fault { cause, attempts, id: attempt.cx.id() };
        Ok::<_, RouteError>((error, route::<T, R>(attempt, Ended::Failed(fault))?))
    });
    match routed {
        Ok(Ok((_, next))) if cancelled => Verdict::Cancelled { next },
        Ok(Ok((error, next))) => Verdict::Failed { report, error, next },
        Ok(Err(error)) => unroutable::<T>(attempt, &error),
        // The edge panics, not the handler: it would each time, so that nothing follows and the run fails.
        Err(message) => {
            let message = format!("{}; then its edge panicked: {message}", report.message);
            failed_for_good(FailureReport { message, ..report })
        }
    }
}

/// Whether the handler's own transaction has ended the task. Where the store can't say, the fence will.
async fn is_complete(attempt: &Attempt) -> bool {
    let claim = attempt.cx.claim();
    attempt.cx.has_completed()
        && matches!(
            attempt.store.task(claim.id).await,
            Ok(Some(task)) if task.state == TaskState::Succeeded && task.fence == claim.fence
        )
}

/// What `retry_if`, or the error, says; one that panics says no.
fn advice<T: Task>(attempt: &Attempt, error: &T::Error) -> RetryAdvice {
    caught(|| T::retry_advice(error)).unwrap_or_else(|message| {
        attempt.cx.log(format!("its retry advice panicked: {message}"));
        RetryAdvice::Never
    })
}

pub(super) fn route<T: Task, R: Route<T>>(attempt: &Attempt, ended: Ended<T>) -> Result<Follow, RouteError> {
    let stored = Stored { payload: &attempt.claimed.payload, earlier: attempt.earlier.as_ref() };
    let mut next = attempt.next();
    R::route(ended, stored, &mut next)?;
    Ok(next.into_follow())
}

/// An attempt that fails outside of its handler: nothing can be routed, so that its run fails with it.
pub(super) fn failed<E: std::fmt::Display>(attempt: &Attempt, name: &str, cause: &Cause<E>) -> Verdict {
    let attempts = attempt.claimed.failures.saturating_add(1);
    let report = report(attempt, name, cause, attempts);
    match attempt.again(attempts, RetryAdvice::Usual) {
        Some(delay) => Verdict::Retry { report, delay },
        None => failed_for_good(report),
    }
}

fn failed_for_good(report: FailureReport) -> Verdict {
    let next = Follow { failure: Some(report.clone()), ..Follow::default() };
    Verdict::Failed { report, error: None, next }
}

/// What follows can't be written or read back. The payload can't be read: parked; the output can't be written: failed.
pub(super) fn unroutable<W: Work>(attempt: &Attempt, error: &RouteError) -> Verdict {
    match error {
        RouteError::Codec(error @ CodecError::Decode { .. }) => undecodable(error),
        error => failed(attempt, W::NAME, &Cause::Error(error)),
    }
}

pub(super) fn undecodable(error: &CodecError) -> Verdict {
    Verdict::Parked { reason: ParkReason::Undecodable, detail: error.to_string() }
}

fn report<E: std::fmt::Display>(attempt: &Attempt, name: &str, cause: &Cause<E>, attempts: u32) -> FailureReport {
    // An error's `Display` is the user's code too.
    let message = caught(|| cause.to_string()).unwrap_or_else(|message| format!("its error can't be shown: {message}"));
    FailureReport::new(name, attempt.cx.id().uuid(), cause.kind(), message, attempts)
}

/// Decodes a payload; a `Deserialize` that panics could not read it.
pub(super) fn decode<T: Payload>(stored: &[u8]) -> Result<T, CodecError> {
    caught(|| T::decode(stored)).unwrap_or_else(|message| {
        Err(CodecError::Decode { what: std::any::type_name::<T>(), reason: format!("it panicked: {message}") })
    })
}

/// A hook after the handler: it gets the payload anew, because the handler has used it up.
async fn hook_with<T: Task>(attempt: &Attempt, name: &str, run: impl AsyncFnOnce(&T, &Context)) {
    match decode::<T>(&attempt.claimed.payload) {
        // The payload is moved in, because its drop is the user's code too.
        Ok(payload) => hook(&attempt.cx, name, async move { run(&payload, &attempt.cx).await }).await,
        Err(error) => {
            tracing::warn!(task = attempt.cx.name(), id = %attempt.cx.id(), hook = name, %error, "a hook was left out");
        }
    }
}

async fn hook(cx: &Context, name: &str, future: impl Future<Output = ()>) {
    let problem = match tokio::time::timeout(HOOK_LIMIT, Catching::new(future)).await {
        Ok(Ok(())) => return,
        Ok(Err(message)) => format!("it panicked: {message}"),
        Err(_) => format!("it took more than {HOOK_LIMIT:?}"),
    };
    tracing::warn!(task = cx.name(), id = %cx.id(), hook = name, problem, "a hook was given up");
}

/// Runs a whole attempt; whatever escapes it is a failure of this task, never of the worker.
pub(crate) async fn contained(cx: Context, attempt: Attempting) -> Over {
    match Catching::new(attempt).await {
        Ok(over) => over,
        Err(message) => escaped(&cx, message).into(),
    }
}
