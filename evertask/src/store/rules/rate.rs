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

/// What is left of a rate that tasks share. Times are given ahead, so that nobody asks in vain; starts are counted as
/// they are, so that no window holds more of them than may, however late they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// Until when times were given; never before what was started.
    given: Budget,
    /// What was started.
    started: Budget,
}

impl Line {
    /// Nothing was given, and nothing started.
    pub(crate) const FULL: Self = Self { given: Budget::FULL, started: Budget::FULL };

    /// As it was stored: what was given, and what was started.
    #[allow(dead_code)]
    pub(crate) const fn from_micros(given: i64, started: i64) -> Self {
        Self { given: Budget(given), started: Budget(started) }
    }

    /// As it is stored.
    #[allow(dead_code)]
    pub(crate) const fn as_micros(self) -> (i64, i64) {
        (self.given.0, self.started.0)
    }

    /// Whether it need not be kept.
    pub(crate) fn is_full(self, now: Timestamp) -> bool {
        self.given.is_full(now)
    }

    fn start(self, rate: Rate, now: Timestamp) -> Self {
        let started = self.started.take(rate, now, 1);
        Self { given: self.given.max(started), started }
    }
}

/// What becomes of a task that is about to be claimed, and has a rate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It starts; this is left.
    Starts(Line),
    /// It asks again then; this is left.
    Waits(Turn, Line),
}

/// When a task asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// When that is.
    pub(crate) at: Timestamp,
    /// The time that it was given, which nobody else is.
    pub(crate) reserved: Timestamp,
}

/// Whether a task of this rate starts now. `reserved` is the time that it was given before, if it was. One that others
/// have held up, which started late, starts after them; one that comes a whole interval late, and finds no room, is given a new time.
pub(crate) fn admit(line: Line, rate: Rate, reserved: Option<Timestamp>, now: Timestamp) -> Admission {
    let line = Line { started: line.started.bounded(rate, now), ..line };
    if let Some(reserved) = reserved {
        // One that comes too early, because the clock went back, keeps its time.
        if now < reserved {
            return Admission::Waits(Turn { at: reserved, reserved }, line);
        }
        if line.started.admits(rate, now) > 0 {
            return Admission::Starts(line.start(rate, now));
        }
        if micros(now).saturating_sub(micros(reserved)) < interval(rate) {
            return Admission::Waits(Turn { at: line.started.next(rate, now), reserved }, line);
        }
    }
    let (time, given) = line.given.reserve(rate, now);
    let line = Line { given, ..line };
    if time <= now {
        Admission::Starts(line.start(rate, now))
    } else {
        Admission::Waits(Turn { at: time, reserved: time }, line)
    }
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

    /// When each of so many starts that all come now, where a worker looks only at these times.
    fn served(rate: Rate, tasks: usize, looks: impl Iterator<Item = i64>) -> Vec<i64> {
        let mut line = Line::FULL;
        let mut waiting: Vec<(Timestamp, Option<Timestamp>)> = vec![(at(0), None); tasks];
        let mut starts = Vec::new();
        for look in looks {
            waiting.sort();
            waiting.retain_mut(|(due, reserved)| {
                if *due > at(look) {
                    return true;
                }
                let (left, turn) = match admit(line, rate, *reserved, at(look)) {
                    Admission::Starts(left) => (left, None),
                    Admission::Waits(turn, left) => (left, Some(turn)),
                };
                line = left;
                if let Some(turn) = turn {
                    assert!(turn.at > at(look), "it asks later");
                    (*due, *reserved) = (turn.at, Some(turn.reserved));
                }
                turn.is_some()
            });
            starts.resize(tasks - waiting.len(), look);
        }
        starts
    }

    #[test]
    fn no_window_holds_more_starts_however_late_the_worker_is() {
        for rate in [rate(3, 1, 1), rate(7, 1, 4), rate(100, 1, 1), rate(60, 1, 60), rate(700, 1, 1)] {
            for late in [1, 3, 40, 333, 999, 1_500] {
                let most = (rate.tasks + rate.burst - 1) as usize;
                // It looks all the time, and then not at all for so long.
                let looks = (0..).take_while(|millis| *millis < 20_000).filter(|millis| millis / late % 2 == 0);
                let starts = served(rate, most * 3, looks);
                assert!(starts.len() > most, "{rate:?}, {late} late: {}", starts.len());
                for (index, start) in starts.iter().enumerate() {
                    let within = starts[index..].iter().take_while(|&&other| other < start + 1_000).count();
                    assert!(within <= most, "{within} of {rate:?} in the second from {start}, {late} late");
                }
            }
        }
    }

    #[test]
    fn who_starts_late_holds_up_the_next_and_who_comes_later_yet_has_a_new_time() {
        let rate = rate(1, 1, 1);
        let turn = |millis, reserved| Turn { at: at(millis), reserved: at(reserved) };
        let Admission::Starts(line) = admit(Line::FULL, rate, None, at(0)) else { unreachable!() };
        let Admission::Waits(first, line) = admit(line, rate, None, at(0)) else { unreachable!() };
        let Admission::Waits(second, line) = admit(line, rate, None, at(0)) else { unreachable!() };
        assert_eq!((first, second), (turn(1_000, 1_000), turn(2_000, 2_000)));
        assert_eq!(admit(line, rate, Some(at(1_000)), at(999)), Admission::Waits(first, line), "it keeps its time");
        let Admission::Starts(line) = admit(line, rate, Some(at(1_000)), at(2_000)) else { unreachable!() };
        assert_eq!(admit(line, rate, Some(at(2_000)), at(2_000)), Admission::Waits(turn(3_000, 2_000), line));
        let Admission::Starts(line) = admit(line, rate, Some(at(2_000)), at(3_000)) else { unreachable!() };
        let Admission::Waits(anew, _) = admit(line, rate, Some(at(2_000)), at(3_500)) else { unreachable!() };
        assert_eq!(anew, turn(4_000, 4_000));
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
