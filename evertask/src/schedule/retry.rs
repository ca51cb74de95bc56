//! How often a failed task is tried again, and how long it waits in between.

use std::time::Duration;

use crate::id::TaskId;

/// How a task is retried: `times` more attempts after the first, `backoff` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How many attempts may follow the first.
    pub times: u32,
    /// The pause before each of them.
    pub backoff: Backoff,
}

impl Retry {
    /// No retry: the first failure is final. This is the default.
    pub const NONE: Self = Self { times: 0, backoff: Backoff::Fixed(Duration::ZERO) };

    /// The pause before the next attempt, or `None` when `failures` (this one included) were enough.
    pub fn after(&self, failures: u32, id: TaskId) -> Option<Duration> {
        (failures <= self.times).then(|| self.backoff.pause(failures, id))
    }
}

/// The pause between two attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// Always the same.
    Fixed(Duration),
    /// The first pause, twice it, three times it, up to `max`.
    Linear {
        /// The first pause.
        first: Duration,
        /// The longest.
        max: Duration,
    },
    /// Doubles from `first` up to `max`; each is shortened by up to a half, so that tasks that
    /// failed together do not come back together.
    Exponential {
        /// The first pause.
        first: Duration,
        /// The longest.
        max: Duration,
    },
}

impl Backoff {
    /// The pause after this many failures. The jitter follows from the task's id, so that it is the
    /// same wherever it is computed.
    pub(crate) fn pause(&self, failures: u32, id: TaskId) -> Duration {
        let nth = failures.max(1);
        match *self {
            Self::Fixed(pause) => pause,
            Self::Linear { first, max } => first.saturating_mul(nth).min(max),
            Self::Exponential { first, max } => {
                let full = first.saturating_mul(2_u32.saturating_pow(nth - 1)).min(max);
                let (_, seed) = id.uuid().as_u64_pair();
                let mixed = seed.wrapping_add(u64::from(nth)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
                let shortened = (full / 2).saturating_mul(u32::try_from(mixed).unwrap_or(0)) / (1 << 16);
                full.saturating_sub(shortened)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_up_after_the_last_retry() {
        let retry = Retry { times: 2, backoff: Backoff::Fixed(Duration::from_secs(1)) };
        let id = TaskId::new();
        assert_eq!(retry.after(1, id), Some(Duration::from_secs(1)));
        assert_eq!(retry.after(2, id), Some(Duration::from_secs(1)));
        assert_eq!(retry.after(3, id), None);
        assert_eq!(Retry::NONE.after(1, id), None);
    }

    #[test]
    fn linear_grows_to_its_cap() {
        let backoff = Backoff::Linear { first: Duration::from_secs(2), max: Duration::from_secs(5) };
        let pauses: Vec<_> = (1..=3).map(|n| backoff.pause(n, TaskId::new()).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 5]);
    }

    #[test]
    fn exponential_stays_between_half_and_whole_and_never_overflows() {
        let backoff = Backoff::Exponential { first: Duration::from_millis(100), max: Duration::from_secs(3) };
        for failures in [1, 2, 3, 6, 40, u32::MAX] {
            let whole = Duration::from_millis(100)
                .saturating_mul(2_u32.saturating_pow(failures - 1))
                .min(Duration::from_secs(3));
            for _ in 0..50 {
                let pause = backoff.pause(failures, TaskId::new());
                assert!(pause <= whole && pause >= whole / 2, "{pause:?} of {whole:?}");
            }
        }
    }
}
