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

/// The date of this form, `2026-12-25`.
pub(super) const fn read(text: &[u8]) -> Option<Date> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let (Some(century), Some(of_century)) = (two(y1, y2), two(y3, y4)) else { return None };
    let (Some(month), Some(day)) = (two(m1, m2), two(d1, d2)) else { return None };
    let year = century as i16 * 100 + of_century as i16;
    if month < 1 || month > 12 || day < 1 || day as u32 > in_month(year, month as u32) {
        return None;
    }
    Some(Date::constant(year, month.cast_signed(), day.cast_signed()))
}

/// The number of two digits.
pub(super) const fn two(tens: u8, ones: u8) -> Option<u8> {
    if tens.is_ascii_digit() && ones.is_ascii_digit() { Some((tens - b'0') * 10 + (ones - b'0')) } else { None }
}

/// How many days a month has.
pub(super) const fn in_month(year: i16, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
