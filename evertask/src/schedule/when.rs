//! What recurs: by the wall clock, or by elapsed time.

use std::fmt;
use std::time::Duration;

use super::clock::Timestamp;
use super::cron::Cron;

/// When a schedule fires, before its zone, its exclusions and its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// By the wall clock of the schedule's zone.
    Cron(Cron),
    /// By elapsed time: at each whole multiple of this since the start of the schedule, or since 1970-01-01 00:00 UTC
    /// where it has none.
    Every(Duration),
}

impl When {
    /// Whether these are times of day, which a clock that is put forward must not lose, nor one that is put back double.
    pub(super) fn is_by_time_of_day(&self) -> bool {
        matches!(self, Self::Cron(cron) if !cron.is_every_hour())
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron) => cron.fmt(f),
            Self::Every(interval) => write!(f, "every {interval:?}"),
        }
    }
}

/// What recurs, on a wall clock in milliseconds that runs `offset` ahead of UTC and never changes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pattern {
    Cron(Cron),
    Every { interval: i64, anchor: i64 },
}

impl Pattern {
    pub(super) fn new(when: When, starting: Option<Timestamp>) -> Self {
        match when {
            When::Cron(cron) => Self::Cron(cron),
            When::Every(interval) => Self::Every {
                interval: i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1),
                anchor: starting.map_or(0, Timestamp::as_millis),
            },
        }
    }

    /// The first time from this one on.
    pub(super) fn first(&self, from: i64, offset: i64) -> Option<i64> {
        match *self {
            Self::Cron(cron) => cron.first(whole_seconds(from))?.checked_mul(1_000),
            Self::Every { interval, anchor } => {
                let since = from.checked_sub(offset)?.checked_sub(anchor)?;
                let behind = since.rem_euclid(interval);
                if behind == 0 { Some(from) } else { from.checked_add(interval - behind) }
            }
        }
    }

    /// How many times there are from one until before another.
    pub(super) fn count(&self, from: i64, to: i64, offset: i64) -> u64 {
        if from >= to {
            return 0;
        }
        match *self {
            Self::Cron(cron) => cron.count(whole_seconds(from), whole_seconds(to)),
            Self::Every { interval, anchor } => {
                let before = |at: i64| {
                    let since = i128::from(at) - i128::from(offset) - i128::from(anchor);
                    (since + i128::from(interval) - 1).div_euclid(i128::from(interval))
                };
                u64::try_from(before(to) - before(from)).unwrap_or(0)
            }
        }
    }
}

/// The first whole second from this millisecond on.
fn whole_seconds(millis: i64) -> i64 {
    millis.div_euclid(1_000) + i64::from(millis.rem_euclid(1_000) > 0)
}
