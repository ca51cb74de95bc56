//! When the database is away: who tries to reach it, how often, and who waits for that.

use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The longest that a caller waits for a database that is away; from then on, callers are told at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Between two tries there is at least this, and by chance up to as much again.
pub(super) const SHORTEST: Duration = Duration::from_millis(500);

/// Whether the database is within reach, as the writer knows; the others do not try by themselves.
#[derive(Debug, Clone)]
pub(super) struct Contact(pub(super) watch::Receiver<bool>);

impl Contact {
    /// Waits for the database to be within reach, for as long as a caller does.
    pub(super) async fn wait(&self) -> Result<(), ()> {
        let mut contact = self.0.clone();
        let within = tokio::time::timeout(PATIENCE, contact.wait_for(|there| *there)).await;
        if matches!(within, Ok(Ok(_))) { Ok(()) } else { Err(()) }
    }

    /// Waits for it to be out of reach.
    pub(super) async fn lost(&self) {
        if self.0.clone().wait_for(|there| !*there).await.is_err() {
            // Nobody tries any more: whoever works, works on.
            std::future::pending::<()>().await;
        }
    }

    /// Waits for it, however long it takes. `false` if nobody tries any more.
    pub(super) async fn wait_for_long(&self) -> bool {
        self.0.clone().wait_for(|there| *there).await.is_ok()
    }
}

/// Since when the database is away, and when it is tried next.
#[derive(Debug)]
pub(super) struct Outage {
    since: Instant,
    next_try: Instant,
    warned: bool,
}

impl Outage {
    /// The connection was lost. The first try is soon.
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self { since: now, next_try: now + by_chance(SHORTEST / 2), warned: false }
    }

    /// How long until the next try.
    pub(super) fn pause(&self) -> Duration {
        self.next_try.saturating_duration_since(Instant::now())
    }

    /// It was in vain. Says whether this is the first time that it was.
    pub(super) fn tried(&mut self) -> bool {
        self.next_try = Instant::now() + SHORTEST + by_chance(SHORTEST);
        !std::mem::replace(&mut self.warned, true)
    }

    /// How long a caller still waits.
    pub(super) fn patience(&self) -> Duration {
        PATIENCE.saturating_sub(self.since.elapsed())
    }

    /// How long it has been.
    pub(super) fn lasted(&self) -> Duration {
        self.since.elapsed()
    }
}

/// Somewhere from nothing to this: nodes that lost the database at once do not come back at once.
pub(super) fn by_chance(most: Duration) -> Duration {
    // The random bits of a new id; all that is needed is that nodes differ.
    let bits = uuid::Uuid::now_v7().as_u128() & 0xffff_ffff;
    most.mul_f64(f64::from(u32::try_from(bits).unwrap_or(u32::MAX)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_at_least_half_a_second_apart() {
        let mut outage = Outage::begin();
        assert!(outage.pause() <= SHORTEST / 2);
        assert!(outage.tried() && !outage.tried());
        assert!(outage.pause() > SHORTEST / 2 && outage.pause() <= SHORTEST * 2);
        assert!(outage.patience() <= PATIENCE);
    }

    #[test]
    fn chance_stays_within_its_bounds() {
        for _ in 0..100 {
            assert!(by_chance(SHORTEST) <= SHORTEST);
        }
    }
}
