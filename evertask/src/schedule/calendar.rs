//! Where the times of a pattern are in real time: in a zone, whose clocks change, and around exclusions.
//!
//! The zone is walked in stretches of one offset, within which a wall clock is plain arithmetic. What happens at their
//! seams is all here: times of day that a clock skips happen at the seam, once, and those that it repeats only the first
//! time; everything else happens whenever the wall clock says so.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::exclusion::Closed;
use super::when::Pattern;

/// How far ahead a next time is looked for: 200 years. A calendar of days repeats in 28, or in 40 over a year such as 2100.
const REACH: i64 = 200 * 366 * 86_400_000;

/// How long after a change of clocks a time may still be one that was there before: more than a day, for the date line.
const SEAM: i64 = 48 * 3_600_000;

/// The first time that is looked at: the year 1, about.
const BEGIN: i64 = -1_969 * 366 * 86_400_000;

/// A stretch of real time in which a zone has one offset. All in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: i64,
    /// Not part of it.
    end: i64,
    offset: i64,
    /// How far wall clocks had come before it began.
    reached: Option<i64>,
}

/// The times of a pattern, from one on, in order.
#[derive(Debug, Clone)]
pub(super) struct Calendar<'a> {
    pub(super) pattern: Pattern,
    /// Whether times of day are what recurs.
    pub(super) by_time_of_day: bool,
    pub(super) zone: &'a TimeZone,
    pub(super) closed: &'a Closed,
    stretch: Option<Stretch>,
}

impl<'a> Calendar<'a> {
    pub(super) fn new(pattern: Pattern, by_time_of_day: bool, zone: &'a TimeZone, closed: &'a Closed) -> Self {
        Self { pattern, by_time_of_day, zone, closed, stretch: None }
    }

    /// The first time from this one on, in milliseconds since 1970 UTC.
    pub(super) fn first(&mut self, from: i64) -> Option<i64> {
        let mut from = from.max(BEGIN);
        let limit = from.saturating_add(REACH).min(Timestamp::MAX.as_millisecond());
        while from <= limit {
            let stretch = self.stretch(from)?;
            if from == stretch.start && self.fires_at(&stretch) {
                return Some(from);
            }
            let low = self.begin(&stretch, from);
            let high = stretch.end.min(limit.saturating_add(1)).saturating_add(stretch.offset);
            if let Some(local) = self.search(low, high, stretch.offset) {
                return Some(local - stretch.offset);
            }
            from = stretch.end;
        }
        None
    }

    /// How many times there are from one until before another. It takes a step for each day at most, not for each time.
    pub(super) fn count(&mut self, from: i64, to: i64) -> u64 {
        let (mut from, to) = (from.max(BEGIN), to.min(Timestamp::MAX.as_millisecond()));
        let mut total = 0_u64;
        while from < to {
            let Some(stretch) = self.stretch(from) else { break };
            let mut low = self.begin(&stretch, from);
            if from == stretch.start && self.fires_at(&stretch) {
                total += 1;
                // The seam itself may be a time too, and is one, not two.
                low += 1;
            }
            let high = stretch.end.min(to).saturating_add(stretch.offset);
            loop {
                low = self.closed.opens(low);
                if low >= high {
                    break;
                }
                let closes = self.closed.closes(low).min(high);
                total = total.saturating_add(self.pattern.count(low, closes, stretch.offset));
                low = closes;
            }
            from = stretch.end;
        }
        total
    }

    /// The first time within a stretch, by its wall clock.
    fn search(&self, mut low: i64, high: i64, offset: i64) -> Option<i64> {
        loop {
            let open = self.closed.opens(low);
            let time = self.pattern.first(open, offset).filter(|time| *time < high)?;
            low = self.closed.opens(time);
            if low == time {
                return Some(time);
            }
        }
    }

    /// Where in a stretch to begin, by its wall clock: times of day that were there before are not there again.
    fn begin(&self, stretch: &Stretch, from: i64) -> i64 {
        let low = from.saturating_add(stretch.offset);
        if self.by_time_of_day { stretch.reached.map_or(low, |reached| low.max(reached)) } else { low }
    }

    /// Whether times of day that the clock skips happen at the beginning of this stretch.
    fn fires_at(&self, stretch: &Stretch) -> bool {
        let Some(reached) = stretch.reached.filter(|_| self.by_time_of_day) else { return false };
        let now = stretch.start + stretch.offset;
        self.pattern.first(reached, stretch.offset).is_some_and(|time| time < now) && self.closed.opens(now) == now
    }

    /// The stretch that this time is in. Most of the time it is the one that the last was in.
    fn stretch(&mut self, at: i64) -> Option<Stretch> {
        if let Some(stretch) = self.stretch
            && (stretch.start..stretch.end).contains(&at)
        {
            return Some(stretch);
        }
        self.stretch = Stretch::of(self.zone, at);
        self.stretch
    }
}

impl Stretch {
    fn of(zone: &TimeZone, at: i64) -> Option<Self> {
        let time = Timestamp::from_millisecond(at).ok()?;
        let end = zone.following(time).next().map_or(i64::MAX, |change| change.timestamp().as_millisecond());
        let offset = offset(zone, time);
        let (mut start, mut reached) = (i64::MIN, None);
        // A change at this very time has happened.
        for change in zone.preceding(Timestamp::from_millisecond(at.saturating_add(1)).unwrap_or(time)) {
            let seam = change.timestamp().as_millisecond();
            if start == i64::MIN {
                start = seam;
            }
            if seam < start.saturating_sub(SEAM) {
                break;
            }
            let Ok(before) = Timestamp::from_millisecond(seam - 1) else { break };
            reached = reached.max(Some(seam + self::offset(zone, before)));
        }
        Some(Self { start, end, offset, reached })
    }
}

/// How far the wall clock is ahead of UTC.
fn offset(zone: &TimeZone, at: Timestamp) -> i64 {
    i64::from(zone.to_offset(at).seconds()) * 1_000
}
