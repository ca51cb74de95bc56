//! What a step needs before it begins: its payload, if it follows a join, and what its arms name of the run.

use std::time::Duration;

use super::attempt::{Attempt, failed, undecodable};
use super::contain::caught;
use crate::context::Stop;
use crate::failure::{Cause, FailureReport};
use crate::store::{Got, StoreError, Verdict};

/// The pause before the store is asked again: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Prepares an attempt, or says what it comes to instead.
pub(super) async fn prepare(attempt: &mut Attempt) -> Result<(), Verdict> {
    let Some(step) = attempt.step else { return Ok(()) };
    if let (Some(Got::Join), Some(assemble)) = (attempt.claimed.got, step.assemble) {
        attempt.claimed.payload = match caught(|| assemble(&attempt.claimed.payload)) {
            Ok(Ok(payload)) => payload,
            Ok(Err(error)) => return Err(undecodable(&error)),
            Err(message) => {
                let cause = Cause::<FailureReport>::Panicked(message);
                return Err(failed(attempt, attempt.cx.name(), &cause));
            }
        };
    }
    if step.asks_input || !step.earlier.is_empty() {
        read_earlier(attempt, step.earlier).await.map_err(|error| {
            tracing::error!(%error, task = attempt.cx.name(), id = %attempt.cx.id(), "what its run had before can't be read");
            Verdict::Interrupted
        })?;
    }
    Ok(())
}

/// Reads what the arms name. A store that is away is asked again for as long as the attempt may go on.
async fn read_earlier(attempt: &mut Attempt, steps: &[&str]) -> Result<(), StoreError> {
    let Some(run) = attempt.cx.run_id() else { return Ok(()) };
    let steps: Vec<_> = steps.iter().map(|step| (*step).to_owned()).collect();
    let mut pause = PAUSES.0;
    loop {
        match attempt.store.earlier(run, steps.clone()).await {
            Ok(earlier) => {
                attempt.earlier = Some(earlier);
                return Ok(());
            }
            Err(error) if error.is_transient() && attempt.cx.stop() == Stop::No => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
            Err(error) => return Err(error),
        }
    }
}
