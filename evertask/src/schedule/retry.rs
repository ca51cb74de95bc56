//! How often a failed task is tried again, and how long it waits in between.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::plan::spread;
use super::spec::millis;
use crate::id::TaskId;

/// How a task is retried: `times` more attempts after the first, `backoff` apart. It is stored in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How many attempts may follow the first.
    pub times: u32,
    /// The pause before each of them.
    pub backoff: Backoff,
}

impl Retry {
    /// No retry: the first failure is final. This is the default.
    pub const NONE: Self = Self { times: 0, backoff: Backoff::Fixed(Duration::ZERO) };

    /// One retry for each of these pauses.
    ///
    /// ```
    /// use std::time::Duration;
    /// use evertask::Retry;
    ///
    /// const RETRY: Retry = Retry::list(&[Duration::from_secs(1), Duration::from_secs(10)]);
    /// assert_eq!(RETRY.times, 2);
    /// ```
    ///
    /// # Panics
    /// For more than [`Pauses::MOST`]; at compile time in a constant.
    pub const fn list(pauses: &[Duration]) -> Self {
        let pauses = Pauses::new(pauses);
        Self { times: pauses.length, backoff: Backoff::List(pauses) }
    }

    /// The pause before the next attempt, or `None` when `failures` (this one included) were enough.
    pub fn after(&self, failures: u32, id: TaskId) -> Option<Duration> {
        if failures <= self.times { self.backoff.pause(failures, id) } else { None }
    }
}

/// The pause between two attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always the same.
    Fixed(#[serde(with = "as_millis")] Duration),
    /// The first pause, twice it, three times it, up to `max`.
    Linear {
        /// The first pause.
        #[serde(with = "as_millis")]
        first: Duration,
        /// The longest.
        #[serde(with = "as_millis")]
        max: Duration,
    },
    /// Anything from nothing to a whole that doubles from `first` up to `max`, so that tasks that failed together do
    /// not come back together ("full jitter").
    Exponential {
        /// The first pause.
        #[serde(with = "as_millis")]
        first: Duration,
        /// The longest.
        #[serde(with = "as_millis")]
        max: Duration,
    },
    /// One after the other; after the last there is no retry.
    List(Pauses),
}

impl Backoff {
    /// The pause after this many failures, if there is one. The jitter follows from the task's id, so that it is the
    /// same wherever it is computed.
    pub(crate) fn pause(&self, failures: u32, id: TaskId) -> Option<Duration> {
        let nth = failures.max(1);
        match *self {
            Self::Fixed(pause) => Some(pause),
            Self::Linear { first, max } => Some(first.saturating_mul(nth).min(max)),
            Self::Exponential { first, max } => {
                let whole = first.saturating_mul(2_u32.saturating_pow(nth - 1)).min(max);
                let (time, random) = id.uuid().as_u64_pair();
                let seed = time.rotate_left(32) ^ random ^ u64::from(nth).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let whole = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
                Some(Duration::from_nanos(spread(seed, whole)))
            }
            Self::List(pauses) => pauses.iter().nth(usize::try_from(nth - 1).ok()?),
        }
    }
}

/// The pauses of [`Backoff::List`], [`MOST`](Self::MOST) at most, in whole milliseconds. They are held in place, so that
/// a constant can hold them and a copy costs no allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// Zero behind the last.
    millis: [u64; Self::MOST],
    length: u32,
}

impl Pauses {
    /// How many there may be.
    pub const MOST: usize = 16;

    /// These.
    ///
    /// # Panics
    /// For more than [`MOST`](Self::MOST); at compile time in a constant. Stored text that has more is an error.
    #[track_caller]
    pub const fn new(pauses: &[Duration]) -> Self {
        match Self::checked(pauses) {
            Some(pauses) => pauses,
            None => panic!("a list has 16 pauses at most"),
        }
    }

    const fn checked(pauses: &[Duration]) -> Option<Self> {
        if pauses.len() > Self::MOST {
            return None;
        }
        let (mut held, mut at, mut length) = ([0; Self::MOST], 0, 0);
        while at < pauses.len() {
            held[at] = millis(pauses[at]);
            (at, length) = (at + 1, length + 1);
        }
        Some(Self { millis: held, length })
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Duration> + '_ {
        self.held().iter().copied().map(Duration::from_millis)
    }

    fn held(&self) -> &[u64] {
        self.millis.split_at(self.length as usize).0
    }
}

impl fmt::Debug for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Pauses {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.held())
    }
}

impl<'de> Deserialize<'de> for Pauses {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let pauses: Vec<Duration> = Vec::<u64>::deserialize(from)?.into_iter().map(Duration::from_millis).collect();
        Self::checked(&pauses).ok_or_else(|| serde::de::Error::invalid_length(pauses.len(), &"16 pauses at most"))
    }
}

/// Durations as whole milliseconds.
mod as_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(super::millis(*duration))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
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
    fn a_list_is_gone_through_once() {
        const RETRY: Retry = Retry::list(&[Duration::from_secs(1), Duration::from_secs(10)]);
        let pauses = |retry: Retry| [1, 2, 3].map(|failures| retry.after(failures, TaskId::new()));
        let (one, ten) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(10)));
        assert_eq!(pauses(RETRY), [one, ten, None]);
        assert_eq!(pauses(Retry { times: 9, ..RETRY }), [one, ten, None]);
        assert_eq!(pauses(Retry { times: 1, ..RETRY }), [one, None, None]);
        assert_eq!(pauses(Retry::list(&[])), [None; 3]);
    }

    #[test]
    fn is_stored_in_milliseconds() -> Result<(), serde_json::Error> {
        let (first, max) = (Duration::from_secs(1), Duration::from_mins(5));
        for (retry, stored) in [
            (Retry::NONE, r#"{"times":0,"backoff":{"fixed":0}}"#),
            (
                Retry { times: 3, backoff: Backoff::Linear { first, max } },
                r#"{"times":3,"backoff":{"linear":{"first":1000,"max":300000}}}"#,
            ),
            (
                Retry { times: 5, backoff: Backoff::Exponential { first, max } },
                r#"{"times":5,"backoff":{"exponential":{"first":1000,"max":300000}}}"#,
            ),
            (Retry::list(&[first, max]), r#"{"times":2,"backoff":{"list":[1000,300000]}}"#),
        ] {
            assert_eq!(serde_json::to_string(&retry)?, stored);
            assert_eq!(serde_json::from_str::<Retry>(stored)?, retry);
        }
        let many = serde_json::to_string(&[1; 17])?;
        assert!(serde_json::from_str::<Pauses>(&many).is_err());
        Ok(())
    }

    #[test]
    fn linear_grows_to_its_cap() {
        let backoff = Backoff::Linear { first: Duration::from_secs(2), max: Duration::from_secs(5) };
        let pauses: Vec<_> =
            (1..=3).filter_map(|n| backoff.pause(n, TaskId::new())).map(|pause| pause.as_secs()).collect();
        assert_eq!(pauses, [2, 4, 5]);
    }

    #[test]
    fn exponential_is_anything_up_to_the_whole_and_never_overflows() {
        let backoff = Backoff::Exponential { first: Duration::from_millis(100), max: Duration::from_secs(3) };
        for failures in [1, 2, 3, 6, 40, u32::MAX] {
            let whole = Duration::from_millis(100)
                .saturating_mul(2_u32.saturating_pow(failures - 1))
                .min(Duration::from_secs(3));
            let ids: Vec<TaskId> = (0..4_000).map(|_| TaskId::new()).collect();
            let pauses: Vec<Duration> = ids.iter().filter_map(|id| backoff.pause(failures, *id)).collect();
            let again: Vec<Duration> = ids.iter().filter_map(|id| backoff.pause(failures, *id)).collect();
            assert_eq!((pauses.len(), &pauses), (4_000, &again));
            // A fifth of them in each fifth: a fair one is further off once in a billion times.
            for fifth in 0..5 {
                let within = |pause: &&Duration| **pause >= whole * fifth / 5 && **pause < whole * (fifth + 1) / 5;
                let number = pauses.iter().filter(within).count();
                assert!((640..960).contains(&number), "{number} in the fifth {fifth} of {whole:?}");
            }
            assert!(pauses.iter().all(|pause| *pause <= whole));
        }
        let for_ever = Backoff::Exponential { first: Duration::MAX, max: Duration::MAX };
        assert!(for_ever.pause(u32::MAX, TaskId::new()).is_some());
    }

    #[test]
    fn each_attempt_has_a_jitter_of_its_own() {
        let backoff = Backoff::Exponential { first: Duration::from_secs(9), max: Duration::from_secs(9) };
        let id = TaskId::new();
        assert_ne!(backoff.pause(1, id), backoff.pause(2, id));
    }
}
