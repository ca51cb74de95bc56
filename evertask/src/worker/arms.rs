//! Attempts that run no handler: a step that waited for a signal or for a run, and the end of a run.
//! What they waited for is the payload; the arms decide what follows.

use super::attempt::{Attempt, Attempting, decode, failed, finished, undecodable, unroutable};
use super::contain::caught;
use super::prepare::prepare;
use crate::failure::{Cause, FailureReport};
use crate::id::{RunId, WorkId};
use crate::payload::{CodecError, Payload};
use crate::store::{Follow, Got, RunState, Verdict};
use crate::task::Work;
use crate::workflow::end::EndPayload;
use crate::workflow::{Awaited, Ended, Fault, Next, Route, RouteError, Signal, Stored};

/// The runner of a step that waits for the value of `S` from outside, with the arms `R`.
pub(crate) fn signal_runner<S: Awaited, R: Route<Signal<S>>>(attempt: Attempt) -> Attempting {
    without_handler(attempt, Signal::<S>::NAME, signal_verdict::<S, R>)
}

/// The runner of a step that is a workflow, with the arms `R`: the run of it has ended.
pub(crate) fn sub_run_runner<W: Work, R: Route<W>>(attempt: Attempt) -> Attempting {
    without_handler(attempt, W::NAME, sub_run_verdict::<W, R>)
}

/// The runner of the task that ends a run of the workflow `W` with the arms `R`.
pub(crate) fn end_runner<W: Work, R: Route<W>>(attempt: Attempt) -> Attempting {
    without_handler(attempt, W::NAME, end_verdict::<W, R>)
}

/// A panic of the arms is a failure.
fn without_handler(mut attempt: Attempt, name: &'static str, verdict: fn(&Attempt) -> Verdict) -> Attempting {
    Box::pin(async move {
        let verdict = match prepare(&mut attempt).await {
            Ok(()) => caught(|| verdict(&attempt))
                .unwrap_or_else(|message| failed(&attempt, name, &Cause::<FailureReport>::Panicked(message))),
            Err(verdict) => verdict,
        };
        finished(&attempt.cx, verdict).into()
    })
}

fn signal_verdict<S: Awaited, R: Route<Signal<S>>>(attempt: &Attempt) -> Verdict {
    let payload = &attempt.claimed.payload;
    let fault = |cause| Ended::Failed(Fault { cause, attempts: 1, id: attempt.cx.id() });
    let ended = match attempt.claimed.got {
        _ if attempt.claimed.cancelled => fault(Cause::Cancelled),
        Some(Got::Signal) => match decode::<S::Value>(payload) {
            Ok(value) => Ended::Ok(value),
            Err(error) => return undecodable(&error),
        },
        _ => fault(Cause::TimedOut(attempt.step.and_then(|step| step.patience).unwrap_or_default())),
    };
    routed::<Signal<S>, R>(attempt, ended, payload)
}

fn sub_run_verdict<W: Work, R: Route<W>>(attempt: &Attempt) -> Verdict {
    let ending = match read::<W>(&attempt.claimed.payload) {
        Ok(ending) => ending,
        Err(error) => return undecodable(&error),
    };
    let input = ending.input.get().as_bytes();
    let cancelled = attempt.claimed.cancelled;
    match ended::<W>(ending.run, if cancelled { Ok(Err(Cause::Cancelled)) } else { outcome::<W>(&ending) }) {
        Ok(ended) => routed::<W, R>(attempt, ended, input),
        Err(error) => undecodable(&error),
    }
}

fn end_verdict<W: Work, R: Route<W>>(attempt: &Attempt) -> Verdict {
    let ending = match read::<W>(&attempt.claimed.payload) {
        Ok(ending) => ending,
        Err(error) => return undecodable(&error),
    };
    let ended = match ended::<W>(ending.run, outcome::<W>(&ending)) {
        Ok(ended) => ended,
        Err(error) => return undecodable(&error),
    };
    let stored = Stored { payload: ending.input.get().as_bytes(), earlier: None };
    let mut next = Next::new(attempt.cx.id(), attempt.cx.correlation_id(), None, None);
    match R::route(ended, stored, &mut next) {
        Ok(()) => Verdict::Succeeded { output: b"null".to_vec(), next: next.into_follow() },
        Err(error) => unroutable::<W>(attempt, &error),
    }
}

fn read<W: Work>(payload: &[u8]) -> Result<EndPayload<'_>, CodecError> {
    serde_json::from_slice(payload).map_err(|error| CodecError::Decode { what: W::NAME, reason: error.to_string() })
}

type Outcome<W> = Result<<W as Work>::Output, Cause<<W as Work>::Error>>;

/// What a run came to, with its types.
fn outcome<W: Work>(ending: &EndPayload<'_>) -> Result<Outcome<W>, CodecError> {
    Ok(match (ending.state, &ending.failure) {
        (RunState::Succeeded, _) => {
            let output = ending.output.map_or("null", |output| output.get());
            Ok(decode::<W::Output>(output.as_bytes())?)
        }
        (RunState::Failed, Some(report)) => Err(match W::typed_error(report, None) {
            Some(error) => Cause::Error(error),
            None => Cause::Panicked(report.message.clone()),
        }),
        _ => Err(Cause::Cancelled),
    })
}

fn ended<W: Work>(run: RunId, outcome: Result<Outcome<W>, CodecError>) -> Result<Ended<W>, CodecError> {
    let not_a_run = || CodecError::Decode { what: W::NAME, reason: format!("it is no workflow, but run {run} is one") };
    Ok(match outcome? {
        Ok(output) => Ended::Ok(output),
        Err(cause) => {
            let id = W::id(WorkId::Run(run)).ok_or_else(not_a_run)?;
            Ended::Failed(Fault { cause, attempts: 1, id })
        }
    })
}

/// The verdict of a step: its output is kept for later arms and joins, its failure for the record.
fn routed<W: Work, R: Route<W>>(attempt: &Attempt, ended: Ended<W>, payload: &[u8]) -> Verdict {
    match route::<W, R>(attempt, ended, payload) {
        Ok(verdict) => verdict,
        Err(error) => unroutable::<W>(attempt, &error),
    }
}

fn route<W: Work, R: Route<W>>(attempt: &Attempt, ended: Ended<W>, payload: &[u8]) -> Result<Verdict, RouteError> {
    let stored = Stored { payload, earlier: attempt.earlier.as_ref() };
    let mut next = attempt.next();
    let (mut output, mut report, mut cancelled) = (Vec::new(), None, false);
    match &ended {
        Ended::Ok(value) => value.encode(&mut output)?,
        Ended::Failed(fault) => {
            report = Some(fault.report());
            cancelled = matches!(fault.cause, Cause::Cancelled);
        }
    }
    R::route(ended, stored, &mut next)?;
    let next: Follow = next.into_follow();
    Ok(match report {
        None => Verdict::Succeeded { output, next },
        Some(_) if cancelled => Verdict::Cancelled { next },
        Some(report) => Verdict::Failed { report, error: None, next },
    })
}
