//! How long the server may take to answer.
//!
//! A connection can be dead without a sign of it: a cut cable, a forgetful firewall, a machine that is gone. A worker
//! must know that in time, so a third of the shortest lease of this process (two of the six signs of life in it) is
//! the longest that a statement goes without an answer, within bounds. The server gives up a little earlier, on each
//! statement, on each lock, and on a transaction in which nothing happens: what the writer has given up is over there
//! too when it begins again. That a worker stops its handlers in time does not depend on any of it: its heart does
//! that by itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Of the lease; of this one, where there is no worker.
const PART: u32 = 3;
const NO_LEASE: Duration = Duration::from_secs(30);

/// The bounds of a statement that writes: a busy server is not a dead one.
const ANSWER: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(10));
/// And of being let in.
const CONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// What reads, and what prepares the tables, holds no lease.
pub(super) const UNHURRIED: Duration = Duration::from_secs(35);

/// The longest that the server waits for a lock, and for the next statement of a transaction.
const SHORT: Duration = Duration::from_secs(5);

/// How long a server may take to answer a writer: for all connections of one store.
#[derive(Debug)]
pub(super) struct Patience {
    /// The shortest lease, in milliseconds.
    lease: AtomicU64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { lease: AtomicU64::new(super::millis(NO_LEASE)) }
    }
}

impl Patience {
    /// There is a worker with this lease.
    pub(super) fn keep(&self, lease: Duration) {
        self.lease.fetch_min(super::millis(lease), Ordering::Relaxed);
    }

    fn part(&self) -> Duration {
        Duration::from_millis(self.lease.load(Ordering::Relaxed)) / PART
    }

    /// The longest that a statement that writes goes without an answer.
    pub(super) fn answer(&self) -> Duration {
        self.part().clamp(ANSWER.0, ANSWER.1)
    }

    /// The longest that connecting takes.
    pub(super) fn connect(&self) -> Duration {
        self.part().clamp(CONNECT.0, CONNECT.1)
    }
}

/// What the server is told, for a connection that waits this long for an answer.
pub(super) fn settings(answer: Duration) -> [(&'static str, String); 3] {
    let millis = |time: Duration| time.as_millis().to_string();
    let short = millis((answer / 2).min(SHORT));
    [
        ("statement_timeout", millis(answer * 6 / 7)),
        ("lock_timeout", short.clone()),
        ("idle_in_transaction_session_timeout", short),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_third_of_the_shortest_lease_within_bounds() {
        let patience = Patience::default();
        assert_eq!((patience.answer(), patience.connect()), (ANSWER.1, CONNECT.1));
        for (lease, answer, connect) in [(60, 10, 5), (30, 10, 5), (12, 4, 4), (24, 4, 4), (6, 3, 2), (1, 3, 1)] {
            patience.keep(Duration::from_secs(lease));
            let expected = (Duration::from_secs(answer), Duration::from_secs(connect));
            assert_eq!((patience.answer(), patience.connect()), expected, "a lease of {lease} s");
        }
    }

    #[test]
    fn the_server_gives_up_first() {
        for answer in [ANSWER.0, ANSWER.1, UNHURRIED] {
            for (name, value) in settings(answer) {
                assert!(Duration::from_millis(value.parse().unwrap_or(u64::MAX)) < answer, "{name} of {answer:?}");
            }
        }
    }
}
