//! Cron expressions: which seconds of which days, as sets of numbers. Zones, and when clocks change, are the
//! calendar's.

mod fault;
mod parse;
mod text;

use std::str::FromStr;

pub use fault::{CronError, CronFault, CronField, FieldFault};
pub use parse::checked;

use super::days;

/// The seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// No two days on which a cron expression fires are further apart: the 29th of February of 1896 and of 1904.
const MONTHS_BETWEEN: usize = 12 * 8 + 1;

/// A cron expression: the times of day and the days at which something recurs.
///
/// Five fields, `minute hour day-of-month month weekday`, or six with seconds first. A field is `*`, a number, a range
/// `1-5`, a step `*/15`, `8-18/2` or `5/15` (from 5 on), or a list of these: `0,30`. Months and weekdays have names
/// (`JAN`, `mon`), Sunday is 0 or 7, and the day `L` is the last of its month. `@yearly`, `@monthly`, `@weekly`,
/// `@daily` and `@hourly` stand for the usual ones.
///
/// If both the day of the month and the weekday are restricted, either is enough, as in Vixie cron:
/// `0 9 13 * FRI` fires on each Friday and on each 13th. A field is restricted if it leaves a day out, however it is
/// written.
///
/// ```
/// use evertask::Cron;
///
/// let weekdays: Cron = "*/15 9-17 * * MON-FRI".parse()?;
/// assert_eq!(weekdays.to_string(), "*/15 9-17 * * 1-5");
///
/// let error = "0 25 * * *".parse::<Cron>().unwrap_err();
/// assert_eq!(error.to_string(), "`0 25 * * *` is not a cron expression: the hour `25` is not from 0 to 23");
/// # Ok::<(), evertask::CronError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cron {
    pub(super) seconds: u64,
    pub(super) minutes: u64,
    pub(super) hours: u64,
    /// Bit 0 is the last day of the month.
    pub(super) days: u64,
    pub(super) months: u64,
    pub(super) weekdays: u64,
}

impl Cron {
    /// Every day at midnight.
    pub(super) const MIDNIGHT: Self = Self {
        seconds: 1,
        minutes: 1,
        hours: 1,
        days: CronField::Day.full(),
        months: CronField::Month.full(),
        weekdays: CronField::Weekday.full(),
    };

    /// Reads an expression. It is `const`, so that one in a program can be checked when that is compiled.
    ///
    /// ```
    /// use evertask::{Cron, CronFault};
    ///
    /// const NIGHTLY: Result<Cron, CronFault> = Cron::parse("0 3 * * *");
    /// assert!(NIGHTLY.is_ok());
    /// assert_eq!(Cron::parse("0 0 30 2 *"), Err(CronFault::Never));
    /// ```
    pub const fn parse(text: &str) -> Result<Self, CronFault> {
        parse::parse(text)
    }

    /// Whether it fires in every hour of its days. Such an expression follows elapsed time where clocks change; every
    /// other one is a list of times of day.
    pub const fn is_every_hour(&self) -> bool {
        self.hours == CronField::Hour.full()
    }

    const fn days_restricted(&self) -> bool {
        self.days & CronField::Day.full() != CronField::Day.full()
    }

    const fn weekdays_restricted(&self) -> bool {
        self.weekdays != CronField::Weekday.full()
    }

    /// Whether it fires on the `day`th of a month of `length` days that is this weekday.
    fn fires_on(&self, day: u32, length: u32, weekday: u32) -> bool {
        let by_day = has(self.days, day) || (has(self.days, 0) && day == length);
        let by_weekday = has(self.weekdays, weekday);
        match (self.days_restricted(), self.weekdays_restricted()) {
            (true, true) => by_day || by_weekday,
            (true, false) => by_day,
            (false, _) => by_weekday,
        }
    }

    /// The first day from this one on, both counted since 1970.
    fn day_from(&self, day: i64) -> Option<i64> {
        let date = days::date(day)?;
        let (mut year, mut month) = (date.year(), u32::from(date.month().unsigned_abs()));
        let mut of_month = u32::from(date.day().unsigned_abs());
        let mut first = day - i64::from(of_month) + 1;
        for _ in 0..=MONTHS_BETWEEN {
            let length = days::in_month(year, month);
            if has(self.months, month) {
                let fires = |of_month: &u32| {
                    let weekday = days::weekday(first + i64::from(*of_month) - 1);
                    self.fires_on(*of_month, length, weekday)
                };
                if let Some(of_month) = (of_month..=length).find(fires) {
                    return Some(first + i64::from(of_month) - 1);
                }
            }
            first += i64::from(length);
            of_month = 1;
            (year, month) = if month == 12 { (year.checked_add(1)?, 1) } else { (year, month + 1) };
        }
        None
    }

    /// The first time of day from this second of the day on.
    fn time_from(&self, second: u32) -> Option<u32> {
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let first = (self.minutes.trailing_zeros(), self.seconds.trailing_zeros());
        let within = |minute: u32, second: u32| {
            if has(self.minutes, minute)
                && let Some(second) = next(self.seconds, second)
            {
                return Some((minute, second));
            }
            next(self.minutes, minute + 1).map(|minute| (minute, first.1))
        };
        let (hour, (minute, second)) = match has(self.hours, hour).then(|| within(minute, second)).flatten() {
            Some(found) => (hour, found),
            None => (next(self.hours, hour + 1)?, first),
        };
        Some(hour * 3_600 + minute * 60 + second)
    }

    /// How many times of day are before this second of the day.
    fn times_before(&self, second: u32) -> u64 {
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let (per_minute, per_hour) = (count(self.seconds), count(self.minutes) * count(self.seconds));
        let mut before = count(below(self.hours, hour)) * per_hour;
        if has(self.hours, hour) {
            before += count(below(self.minutes, minute)) * per_minute;
            if has(self.minutes, minute) {
                before += count(below(self.seconds, second));
            }
        }
        before
    }

    /// The first second from this one on that fires, both of a wall clock that never changes.
    pub(super) fn first(&self, from: i64) -> Option<i64> {
        let (today, second) = split(from);
        let day = self.day_from(today)?;
        if day == today
            && let Some(time) = self.time_from(second)
        {
            return Some(day * DAY + i64::from(time));
        }
        let day = if day == today { self.day_from(day + 1)? } else { day };
        self.time_from(0).map(|time| day * DAY + i64::from(time))
    }

    /// How many seconds of a wall clock that never changes fire, from one until before another.
    pub(super) fn count(&self, from: i64, to: i64) -> u64 {
        let (from_day, from_second) = split(from);
        let (to_day, to_second) = split(to);
        let mut total = 0_u64;
        let mut at = from_day;
        while let Some(day) = self.day_from(at).filter(|day| *day <= to_day) {
            let until = if day == to_day { self.times_before(to_second) } else { self.times_before(86_400) };
            let since = if day == from_day { self.times_before(from_second) } else { 0 };
            total = total.saturating_add(until.saturating_sub(since));
            at = day + 1;
        }
        total
    }
}

/// The day since 1970, and the second of it.
fn split(second: i64) -> (i64, u32) {
    (second.div_euclid(DAY), u32::try_from(second.rem_euclid(DAY)).unwrap_or(0))
}

const fn has(set: u64, number: u32) -> bool {
    number < 64 && set >> number & 1 == 1
}

/// The numbers of the set below this one.
const fn below(set: u64, number: u32) -> u64 {
    if number < 64 { set & ((1 << number) - 1) } else { set }
}

/// The first number of the set from this one on.
const fn next(set: u64, from: u32) -> Option<u32> {
    let rest = set & !below(u64::MAX, from);
    if from < 64 && rest != 0 { Some(rest.trailing_zeros()) } else { None }
}

fn count(set: u64) -> u64 {
    u64::from(set.count_ones())
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        Self::parse(text).map_err(|fault| CronError::new(text, fault))
    }
}
