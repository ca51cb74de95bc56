//! What a schedule leaves out, by the wall clock of its zone: weekdays, dates, times of day.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::days;
use super::time_of_day::TimeOfDay;
use super::weekday::Weekday;

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// What a schedule leaves out.
///
/// A weekday (`SUN`), a date (`2026-12-25`), a range of dates whose ends belong to it (`2026-12-24..2027-01-01`), or a
/// time of day, from until before (`22:00..06:00`, which may go over midnight).
///
/// ```
/// use evertask::Exclusion;
///
/// let night: Exclusion = "22:00..06:00".parse()?;
/// assert_eq!(night.to_string(), "22:00..06:00");
/// assert!("Christmas".parse::<Exclusion>().is_err());
/// # Ok::<(), evertask::ExclusionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exclusion(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    On(Weekday),
    /// From one date to another, both excluded.
    Dates(Date, Date),
    /// From one time until before another, maybe of the next day.
    Times(TimeOfDay, TimeOfDay),
}

/// What is wrong with an exclusion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no exclusion: write a weekday \"SUN\", a date \"2026-12-25\", dates \"2026-12-24..2027-01-01\", or \
     times \"22:00..06:00\""
)]
pub struct ExclusionError {
    /// The text that was given.
    pub text: String,
}

impl From<Weekday> for Exclusion {
    fn from(weekday: Weekday) -> Self {
        Self(Kind::On(weekday))
    }
}

impl TryFrom<&str> for Exclusion {
    type Error = ExclusionError;

    fn try_from(text: &str) -> Result<Self, ExclusionError> {
        text.parse()
    }
}

impl FromStr for Exclusion {
    type Err = ExclusionError;

    fn from_str(text: &str) -> Result<Self, ExclusionError> {
        read(text).map(Self).ok_or_else(|| ExclusionError { text: text.chars().take(80).collect() })
    }
}

/// An exclusion known at compile time: a mistake in it is a compile error at the caller.
///
/// # Panics
/// At compile time, for text that is no exclusion.
#[track_caller]
pub const fn checked(text: &str) -> Exclusion {
    match read(text) {
        Some(kind) => Exclusion(kind),
        None => panic!(
            "this is no exclusion: write a weekday \"SUN\", a date \"2026-12-25\", dates \"2026-12-24..2027-01-01\", or \
             times \"22:00..06:00\""
        ),
    }
}

const fn read(text: &str) -> Option<Kind> {
    let bytes = text.as_bytes();
    let Some((from, to)) = around_dots(bytes) else {
        return match (days::read(bytes), Weekday::named(text)) {
            (Some(date), _) => Some(Kind::Dates(date, date)),
            (None, Some(weekday)) => Some(Kind::On(weekday)),
            (None, None) => None,
        };
    };
    if let (Some(first), Some(last)) = (days::read(from), days::read(to)) {
        return if in_order(from, to) { Some(Kind::Dates(first, last)) } else { None };
    }
    match (TimeOfDay::parse(from), TimeOfDay::parse(to)) {
        (Some(from), Some(to)) if from.millis() != to.millis() && from.millis() != DAY => Some(Kind::Times(from, to)),
        _ => None,
    }
}

/// What is before and behind `..`.
const fn around_dots(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    while at + 1 < text.len() {
        if text[at] == b'.' && text[at + 1] == b'.' {
            return Some((text.split_at(at).0, text.split_at(at + 2).1));
        }
        at += 1;
    }
    None
}

/// Whether the date that is written first is not the later one.
const fn in_order(first: &[u8], last: &[u8]) -> bool {
    let mut at = 0;
    while at < first.len() && at < last.len() && first[at] == last[at] {
        at += 1;
    }
    at == first.len() || (at < last.len() && first[at] < last[at])
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::On(weekday) => weekday.fmt(f),
            Kind::Dates(from, to) if from == to => from.fmt(f),
            Kind::Dates(from, to) => write!(f, "{from}..{to}"),
            Kind::Times(from, to) => write!(f, "{from}..{to}"),
        }
    }
}

impl Serialize for Exclusion {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Exclusion {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl From<std::convert::Infallible> for ExclusionError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// All that a schedule leaves out, sorted. Times are those of a wall clock that never changes, in milliseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Closed {
    weekdays: [bool; 7],
    /// Days, from the first to the last.
    dates: Vec<(i64, i64)>,
    /// Times of day, from until before.
    times: Vec<(i64, i64)>,
}

impl Closed {
    /// `None` if nothing is left.
    pub(super) fn of(exclusions: &[Exclusion]) -> Option<Self> {
        let mut closed = Self::default();
        for exclusion in exclusions {
            match exclusion.0 {
                Kind::On(weekday) => closed.weekdays[weekday as usize] = true,
                Kind::Dates(from, to) => closed.dates.extend(days::day(from).zip(days::day(to))),
                Kind::Times(from, to) if from < to => closed.times.push((from.millis(), to.millis())),
                Kind::Times(from, to) => {
                    closed.times.extend([(from.millis(), DAY), (0, to.millis())].iter().filter(|(from, to)| from < to));
                }
            }
        }
        closed.dates.sort_unstable();
        closed.times.sort_unstable();
        let free = closed.times.iter().fold(0, |free, (from, to)| if *from <= free { free.max(*to) } else { free });
        (free < DAY && closed.weekdays != [true; 7]).then_some(closed)
    }

    /// The first time from this one on that is not excluded.
    pub(super) fn opens(&self, mut at: i64) -> i64 {
        loop {
            let (day, time) = (at.div_euclid(DAY), at.rem_euclid(DAY));
            let to_the_end_of = |day: i64| day.saturating_add(1).saturating_mul(DAY);
            at = if let Some((_, last)) = self.dates.iter().find(|(first, last)| (*first..=*last).contains(&day)) {
                to_the_end_of(*last)
            } else if self.closed_on(day) {
                to_the_end_of(day)
            } else if let Some((_, to)) = self.times.iter().find(|(from, to)| (*from..*to).contains(&time)) {
                at - time + to
            } else {
                return at;
            };
        }
    }

    fn closed_on(&self, day: i64) -> bool {
        usize::try_from(days::weekday(day)).is_ok_and(|weekday| self.weekdays[weekday])
    }

    /// The end of a stretch from this time on, which is not excluded, in which nothing is.
    pub(super) fn closes(&self, at: i64) -> i64 {
        let (day, time) = (at.div_euclid(DAY), at.rem_euclid(DAY));
        let mut until = i64::MAX;
        if self.weekdays != [false; 7] || !self.times.is_empty() {
            let time = self.times.iter().map(|(from, _)| *from).find(|from| *from > time).unwrap_or(DAY);
            until = day * DAY + time;
        }
        let date = self.dates.iter().map(|(first, _)| *first).find(|first| *first > day);
        date.map_or(until, |first| until.min(first.saturating_mul(DAY)))
    }
}
