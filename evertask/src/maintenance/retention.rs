//! How long work is kept after its end.

use std::time::Duration;

use tokio::sync::Notify;

use crate::duration::{DurationError, IntoDuration};
use crate::schedule::{Clock, Timestamp};
use crate::store::{Keep, Prune, Store, StoreError};

/// How much goes in one transaction: so little that claims hardly wait for it.
const BATCH: u32 = 200;
/// Between two batches, so that others have their turn.
const PAUSE: Duration = Duration::from_millis(50);
/// When there was nothing more to remove.
const REST: Duration = Duration::from_mins(1);

/// How long work is kept after its end. What is not said is kept for ever, which is all of it by default.
///
/// ```
/// use evertask::{Dispatcher, Retention};
///
/// # async fn start(dispatcher: &Dispatcher) -> Result<(), evertask::StartError> {
/// let retention = Retention::new().succeeded("7d").failed("30d").keep_at_most(100_000).logs("3d");
/// let worker = dispatcher.worker().retention(retention).start().await?;
/// # drop(worker);
/// # Ok(())
/// # }
/// ```
///
/// A run goes whole, with its tasks; what has not ended never goes. A key goes with its work: after that, a dispatch
/// with the same key is new work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    succeeded: Option<Duration>,
    failed: Option<Duration>,
    cancelled: Option<Duration>,
    logs: Option<Duration>,
    most: Option<u64>,
    mistakes: Vec<DurationError>,
}

impl Retention {
    /// Everything is kept.
    pub fn new() -> Self {
        Self::default()
    }

    /// What succeeded is kept so long.
    #[must_use]
    pub fn succeeded(self, time: impl IntoDuration) -> Self {
        self.with(time, |kept, time| kept.succeeded = Some(time))
    }

    /// What failed is kept so long, as a dead letter.
    #[must_use]
    pub fn failed(self, time: impl IntoDuration) -> Self {
        self.with(time, |kept, time| kept.failed = Some(time))
    }

    /// What was cancelled is kept so long.
    #[must_use]
    pub fn cancelled(self, time: impl IntoDuration) -> Self {
        self.with(time, |kept, time| kept.cancelled = Some(time))
    }

    /// Log lines are kept so long, however long their task is.
    #[must_use]
    pub fn logs(self, time: impl IntoDuration) -> Self {
        self.with(time, |kept, time| kept.logs = Some(time))
    }

    /// The newest of so many are kept, of each: tasks and runs that succeeded, failed, were cancelled.
    #[must_use]
    pub fn keep_at_most(self, work: u64) -> Self {
        Self { most: Some(work), ..self }
    }

    fn with(mut self, time: impl IntoDuration, set: impl FnOnce(&mut Self, Duration)) -> Self {
        match time.into_duration() {
            Ok(time) => set(&mut self, time),
            Err(mistake) => self.mistakes.push(mistake),
        }
        self
    }

    pub(crate) fn mistakes(&self) -> impl Iterator<Item = DurationError> {
        self.mistakes.iter().cloned()
    }

    pub(crate) fn keeps_everything(&self) -> bool {
        *self == Self { mistakes: self.mistakes.clone(), ..Self::default() }
    }

    /// What may go at this time.
    fn prune(&self, now: Timestamp) -> Prune {
        let since = |time: Duration| {
            let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            Timestamp::from_millis(now.as_millis().saturating_sub(millis))
        };
        let keep = |time: Option<Duration>| Keep { since: time.map(since), most: self.most };
        Prune {
            succeeded: keep(self.succeeded),
            failed: keep(self.failed),
            cancelled: keep(self.cancelled),
            logs_since: self.logs.map(since),
            most: BATCH,
        }
    }
}

/// Removes what may go now, in batches with pauses. How many rows went.
pub(crate) async fn prune(store: &dyn Store, clock: &dyn Clock, retention: &Retention) -> Result<u64, StoreError> {
    let mut all = 0_u64;
    loop {
        let rows = store.prune(retention.prune(clock.now())).await?;
        all = all.saturating_add(rows);
        if rows == 0 {
            return Ok(all);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Does so for ever.
pub(super) async fn tend(store: &dyn Store, clock: &dyn Clock, retention: &Retention, moved: &Notify) {
    loop {
        match prune(store, clock, retention).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "what need not be kept was removed"),
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "what need not be kept was not removed"),
        }
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            () = moved.notified() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_kept() {
        assert!(Retention::new().keeps_everything() && !Retention::new().keep_at_most(7).keeps_everything());
        let now = Timestamp::from_millis(10_000);
        let prune = Retention::new().failed("4s").logs("1s").prune(now);
        assert_eq!(prune.failed, Keep { since: Some(Timestamp::from_millis(6_000)), most: None });
        assert_eq!((prune.succeeded, prune.cancelled), (Keep::default(), Keep::default()));
        assert_eq!(prune.logs_since, Some(Timestamp::from_millis(9_000)));
        assert_eq!(Retention::new().succeeded("soon").mistakes().count(), 1);
    }
}
