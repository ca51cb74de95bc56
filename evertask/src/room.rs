//! Waiting for room in a full queue; never inside a handler, which may be what the queue waits for.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::{Dispatched, NewWork, Store, StoreError};

/// The pause before a full queue is tried again: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Nobody waits longer: the far end of time can't be added to a clock.
const LONGEST: Duration = Duration::from_hours(24 * 365);

tokio::task_local! {
    static ATTEMPT: ();
}

/// Runs an attempt, in which nothing waits for room.
pub(crate) fn in_attempt<F: Future>(attempt: F) -> impl Future<Output = F::Output> {
    ATTEMPT.scope((), attempt)
}

/// Runs a blocking handler, in which nothing waits for room.
pub(crate) fn in_blocking_attempt<T>(run: impl FnOnce() -> T) -> T {
    ATTEMPT.sync_scope((), run)
}

/// Dispatches, and waits for room for so long if there is none.
pub(crate) async fn dispatch(
    store: &dyn Store,
    work: Vec<NewWork>,
    patience: Option<Duration>,
) -> Result<Vec<Dispatched>, StoreError> {
    let Some(patience) = patience.filter(|_| ATTEMPT.try_with(|()| ()).is_err()) else {
        return store.dispatch(work).await;
    };
    let until = Instant::now() + patience.min(LONGEST);
    let mut pause = PAUSES.0;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match store.dispatch(work.clone()).await {
            Err(StoreError::QueueFull { .. }) if !left.is_zero() => tokio::time::sleep(pause.min(left)).await,
            answer => return answer,
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}
