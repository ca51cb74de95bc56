//! So many in so long, evenly spaced after a burst: the generic cell rate algorithm, in microseconds.

use crate::schedule::Timestamp;
use crate::store::Rate;

/// What was taken from a rate: until when it is paid for, in microseconds since 1970. That is all that a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Budget(i64);

impl Budget {
    /// Nothing was taken yet.
    pub(crate) const FULL: Self = Self(i64::MIN);

    /// As it was stored.
    // Memory stores it as it is.
    #[allow(dead_code)]
    pub(crate) const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// As it is stored.
    #[allow(dead_code)]
    pub(crate) const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whether all of it was paid for by now: then it is as good as [`FULL`](Self::FULL), and need not be kept.
    pub(crate) fn is_full(self, now: Timestamp) -> bool {
        self.0 <= micros(now)
    }

    /// The same, where nobody takes more than is admitted: what a slower rate or a later clock left is forgotten.
    /// It is to be kept: each time it is asked, the same is forgotten up to a later time.
    #[must_use]
    pub(crate) fn bounded(self, rate: Rate, now: Timestamp) -> Self {
        let most = interval(rate).saturating_mul(i64::from(rate.burst.max(1)));
        Self(self.0.min(micros(now).saturating_add(most)))
    }

    /// How many may start now.
    pub(crate) fn admits(self, rate: Rate, now: Timestamp) -> u32 {
        let ahead = micros(now).saturating_add(tolerance(rate)).saturating_sub(self.0.max(micros(now)));
        if ahead < 0 { 0 } else { u32::try_from(ahead / interval(rate)).unwrap_or(u32::MAX).saturating_add(1) }
    }

    /// What is left when so many start now.
    #[must_use]
    pub(crate) fn take(self, rate: Rate, now: Timestamp, tasks: u32) -> Self {
        if tasks == 0 {
            return self;
        }
        Self(self.0.max(micros(now)).saturating_add(interval(rate).saturating_mul(i64::from(tasks))))
    }

    /// When the next may start; now, if one may.
    pub(crate) fn next(self, rate: Rate, now: Timestamp) -> Timestamp {
        let next = self.0.saturating_sub(tolerance(rate));
        // A start at a millisecond is never before its microsecond.
        let millis = next.div_euclid(1_000) + i64::from(next.rem_euclid(1_000) > 0);
        now.max(Timestamp::from_millis(millis))
    }

    /// Takes one for a task: when it may start, and what is left. That is now, or later and then only its own.
    pub(crate) fn reserve(self, rate: Rate, now: Timestamp) -> (Timestamp, Self) {
        (self.next(rate, now), self.take(rate, now, 1))
    }
}

/// What becomes of a task that is about to be claimed, and has a rate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It starts; this is left of the budget.
    Starts(Budget),
    /// It waits until then, a time that nobody else is given; this is left of the budget.
    Waits(Timestamp, Budget),
}

/// Whether a task of this rate starts now. `reserved` is the time that it was given before, if it was: it holds for
/// as long as the rate says, and is checked anew after that.
pub(crate) fn admit(budget: Budget, rate: Rate, reserved: Option<Timestamp>, now: Timestamp) -> Admission {
    if let Some(reserved) = reserved.filter(|reserved| now <= reserved.plus(rate.per)) {
        // One that comes too early, because the clock went back, keeps its time.
        return if now >= reserved { Admission::Starts(budget) } else { Admission::Waits(reserved, budget) };
    }
    let (time, left) = budget.reserve(rate, now);
    if time <= now { Admission::Starts(left) } else { Admission::Waits(time, left) }
}

/// The time from one start to the next, rounded up: never more start than the rate says.
fn interval(rate: Rate) -> i64 {
    let per = i64::try_from(rate.per.as_micros()).unwrap_or(i64::MAX);
    let tasks = i64::from(rate.tasks.max(1));
    (per / tasks).saturating_add(i64::from(per % tasks > 0)).max(1)
}

/// How far ahead of its time a start may be.
fn tolerance(rate: Rate) -> i64 {
    interval(rate).saturating_mul(i64::from(rate.burst.max(1) - 1))
}

fn micros(time: Timestamp) -> i64 {
    time.as_millis().saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: i64 = 1_767_225_600_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(NOW + millis)
    }

    fn rate(tasks: u32, seconds: u64, burst: u32) -> Rate {
        Rate { tasks, per: Duration::from_secs(seconds), burst }
    }

    /// Takes whatever is admitted at each millisecond: when each start was.
    fn starts(rate: Rate, until: i64) -> Vec<i64> {
        let (mut budget, mut starts) = (Budget::FULL, Vec::new());
        for millis in 0..until {
            let admitted = budget.admits(rate, at(millis));
            budget = budget.take(rate, at(millis), admitted);
            starts.extend((0..admitted).map(|_| millis));
        }
        starts
    }

    #[test]
    fn a_burst_after_a_rest_and_then_one_by_one() {
        assert_eq!(starts(rate(2, 1, 3), 2_001), [0, 0, 0, 500, 1_000, 1_500, 2_000]);
        assert_eq!(starts(rate(1, 1, 1), 2_001), [0, 1_000, 2_000]);
    }

    #[test]
    fn no_window_holds_more_than_the_rate_and_the_burst() {
        for rate in [rate(3, 1, 1), rate(7, 1, 4), rate(1_000, 1, 10), rate(60, 1, 60)] {
            let starts = starts(rate, 3_000);
            for (index, start) in starts.iter().enumerate() {
                let within = starts[index..].iter().take_while(|&&other| other < start + 1_000).count();
                assert!(within <= (rate.tasks + rate.burst - 1) as usize + usize::from(rate.burst == 1), "{rate:?}");
            }
            let most = usize::try_from(rate.tasks * 3 + rate.burst).unwrap_or(usize::MAX);
            assert!(starts.len() <= most && starts.len() + 4 >= most - 1, "{rate:?}: {}", starts.len());
        }
    }

    #[test]
    fn the_next_start_is_when_one_is_admitted() {
        let rate = rate(3, 1, 2);
        let mut budget = Budget::FULL;
        assert_eq!(budget.next(rate, at(0)), at(0));
        budget = budget.take(rate, at(0), 2);
        assert_eq!((budget.admits(rate, at(0)), budget.next(rate, at(0))), (0, at(334)));
        assert_eq!((budget.admits(rate, at(333)), budget.admits(rate, at(334))), (0, 1));
        assert!(!budget.is_full(at(666)) && budget.is_full(at(667)));
    }

    #[test]
    fn each_reservation_is_a_time_of_its_own() {
        let rate = rate(1, 1, 2);
        let (mut budget, mut times) = (Budget::FULL, Vec::new());
        for _ in 0..5 {
            let (time, left) = budget.reserve(rate, at(0));
            times.push(time);
            budget = left;
        }
        assert_eq!(times, [at(0), at(0), at(1_000), at(2_000), at(3_000)]);
    }

    #[test]
    fn a_reservation_holds_for_as_long_as_the_rate_says() {
        let rate = rate(1, 1, 1);
        let (_, budget) = Budget::FULL.reserve(rate, at(0));
        let Admission::Waits(time, budget) = admit(budget, rate, None, at(0)) else { unreachable!() };
        assert_eq!(time, at(1_000));
        for late in [0, 1_000] {
            assert_eq!(admit(budget, rate, Some(time), at(1_000 + late)), Admission::Starts(budget));
        }
        assert_eq!(admit(budget, rate, Some(time), at(999)), Admission::Waits(time, budget));
        let anew = budget.take(rate, at(2_001), 1);
        assert_eq!(admit(budget, rate, Some(time), at(2_001)), Admission::Starts(anew));
        assert!(anew > budget, "it was taken once more");
    }

    #[test]
    fn a_slower_rate_or_a_later_clock_is_forgotten() {
        let slow = rate(1, 3_600, 1);
        let budget = Budget::FULL.take(slow, at(0), 1);
        let fast = rate(10, 1, 2);
        assert_eq!(budget.bounded(fast, at(0)).next(fast, at(0)), at(100));
        assert_eq!(budget.bounded(slow, at(0)), budget);
        assert_eq!(budget.bounded(slow, at(-7_200_000)).next(slow, at(-7_200_000)), at(-3_600_000));
    }

    #[test]
    fn what_makes_no_sense_still_has_an_answer() {
        assert_eq!(Budget::FULL.admits(rate(0, 1, 0), at(0)), 1);
        let never = Rate { tasks: 1, per: Duration::MAX, burst: u32::MAX };
        let taken = Budget::FULL.take(never, at(0), u32::MAX);
        assert_eq!(taken.as_micros(), i64::MAX);
        assert_eq!(Budget::from_micros(taken.as_micros()), taken);
        assert!(Budget::FULL.admits(Rate { tasks: u32::MAX, per: Duration::ZERO, burst: u32::MAX }, at(0)) > 1_000);
    }
}
