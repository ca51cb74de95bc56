//! Whether a transaction waits a moment for more.
//!
//! Where a commit is slow, the slots of a worker fall into two halves that take turns: while one half is
//! committed, the other ends and waits, and the two never meet again. So a transaction waits for what was handed
//! out a moment ago, for half a commit at most, and not again for a while when that was in vain. Alone, nobody
//! waits longer.

use std::time::Duration;

/// Below this, waiting costs more than a commit.
const SHORTEST: Duration = Duration::from_micros(25);
const LONGEST: Duration = Duration::from_millis(2);

/// How many transactions do not wait after one that did in vain.
const PAUSE: u32 = 32;

/// What the last transactions say about the next.
#[derive(Debug, Default)]
pub(crate) struct Linger {
    commit: Duration,
    handed_out: bool,
    pause: u32,
}

impl Linger {
    /// A transaction is on disk.
    pub(crate) fn committed(&mut self, took: Duration, handed_out: bool) {
        (self.commit, self.handed_out) = (took, handed_out);
        self.pause = self.pause.saturating_sub(1);
    }

    /// How long the next one may wait for what was handed out.
    pub(crate) fn time(&self) -> Option<Duration> {
        let time = (self.commit / 2).min(LONGEST);
        (self.handed_out && self.pause == 0 && time >= SHORTEST).then_some(time)
    }

    /// It waited, and whether something came.
    pub(crate) fn waited(&mut self, paid: bool) {
        self.pause = if paid { 0 } else { PAUSE };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_only_after_slow_commits_that_handed_something_out() {
        let mut linger = Linger::default();
        assert_eq!(linger.time(), None);
        linger.committed(Duration::from_millis(1), false);
        assert_eq!(linger.time(), None);
        linger.committed(Duration::from_micros(10), true);
        assert_eq!(linger.time(), None);
        linger.committed(Duration::from_millis(1), true);
        assert_eq!(linger.time(), Some(Duration::from_micros(500)));
        linger.committed(Duration::from_secs(1), true);
        assert_eq!(linger.time(), Some(LONGEST));
    }

    #[test]
    fn does_not_wait_again_for_a_while_when_it_was_in_vain() {
        let mut linger = Linger::default();
        linger.committed(Duration::from_millis(1), true);
        linger.waited(false);
        for _ in 0..PAUSE - 1 {
            linger.committed(Duration::from_millis(1), true);
            assert_eq!(linger.time(), None);
        }
        linger.committed(Duration::from_millis(1), true);
        assert!(linger.time().is_some());
        linger.waited(true);
        assert!(linger.time().is_some());
    }
}
