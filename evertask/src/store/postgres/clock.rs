//! The database's time: one for all nodes, whatever their own clocks say.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::schedule::{Clock, Timestamp};

/// The database's clock, as it was read last, and carried on by a clock that nobody sets.
#[derive(Debug, Default)]
pub(super) struct DatabaseClock {
    read: Mutex<Option<(Timestamp, Instant)>>,
}

impl DatabaseClock {
    /// The database said that it is `now`; it was asked at `asked`, and has answered just now.
    pub(super) fn set(&self, now: Timestamp, asked: Instant) {
        let at = asked + asked.elapsed() / 2;
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, at));
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        match *self.read.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((read, at)) => read.plus(Instant::now().saturating_duration_since(at)),
            // It was never reached; nothing is decided by this.
            None => SystemTime::now().into(),
        }
    }

    fn sleep_until(&self, time: Timestamp) -> Option<Duration> {
        Some(self.now().until(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_databases_time_and_goes_on() {
        let clock = DatabaseClock::default();
        let read = Timestamp::from_millis(5_000);
        assert!(clock.now() > read);
        clock.set(read, Instant::now());
        let now = clock.now();
        assert!(now >= read && now < read.plus(Duration::from_mins(1)));
        assert!(clock.sleep_until(read).is_some_and(|pause| pause.is_zero()));
    }
}
