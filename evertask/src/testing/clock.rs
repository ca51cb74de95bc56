//! A clock that stands still until it is moved.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::schedule::{Clock, Timestamp};

type Wake = Arc<dyn Fn() + Send + Sync>;

/// A clock that is moved by hand. Its clones are the same clock.
///
/// ```
/// use std::time::Duration;
/// use evertask::Clock;
/// use evertask::testing::ManualClock;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now(), before.plus(Duration::from_secs(5)));
/// ```
#[derive(Clone, Default)]
pub struct ManualClock {
    inner: Arc<Mutex<Hands>>,
}

struct Hands {
    now: Timestamp,
    wakes: Vec<Wake>,
}

impl Default for Hands {
    fn default() -> Self {
        // The first second of 2026, UTC: a test that prints a time prints a readable one.
        Self { now: Timestamp::from_millis(1_767_225_600_000), wakes: Vec::new() }
    }
}

impl ManualClock {
    /// A clock that stands at the beginning of 2026.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock on, and wakes whoever asked for it.
    pub fn advance(&self, by: Duration) {
        self.turn(|now| now.plus(by));
    }

    /// Sets the clock, backwards too, and wakes whoever asked for it.
    pub fn set(&self, to: Timestamp) {
        self.turn(|_| to);
    }

    fn turn(&self, to: impl FnOnce(Timestamp) -> Timestamp) {
        let wakes = {
            let mut hands = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            hands.now = to(hands.now);
            hands.wakes.clone()
        };
        // Called without the lock: whoever wakes looks at the clock.
        for wake in wakes {
            wake();
        }
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).now
    }

    fn sleep_until(&self, _time: Timestamp) -> Option<Duration> {
        None
    }

    fn on_move(&self, wake: Wake) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).wakes.push(wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn wakes_whoever_asked_after_each_move_with_the_new_time() {
        let clock = ManualClock::new();
        let seen = Arc::new(AtomicI64::new(0));
        let (view, note) = (clock.clone(), Arc::clone(&seen));
        clock.on_move(Arc::new(move || note.store(view.now().as_millis(), Ordering::SeqCst)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(seen.load(Ordering::SeqCst), clock.now().as_millis());
        clock.set(Timestamp::from_millis(7));
        assert_eq!(seen.load(Ordering::SeqCst), 7);
    }
}
