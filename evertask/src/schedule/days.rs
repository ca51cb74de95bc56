//! Days counted since 1970-01-01, and their dates.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// The date of a day, within the years that can be said.
pub(super) fn date(day: i64) -> Option<Date> {
    let midnight = Timestamp::from_second(day.checked_mul(86_400)?).ok()?;
    Some(Offset::UTC.to_datetime(midnight).date())
}

/// The day of a date.
pub(super) fn day(date: Date) -> Option<i64> {
    let midnight = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(midnight.as_second().div_euclid(86_400))
}

/// The weekday of a day; Sunday is 0.
pub(super) fn weekday(day: i64) -> u32 {
    // 1970 began on a Thursday.
    u32::try_from((day + 4).rem_euclid(7)).unwrap_or(0)
}

/// How many days a month has.
pub(super) fn in_month(year: i16, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
