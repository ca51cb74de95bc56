//! Durations as people write them: `"250ms"`, `"30s"`, `"5m"`, `"1h30m"`, `"7d"`.
//! One parser, at compile time for what a macro was given and at run time for the rest.

use std::time::Duration;

/// What is wrong with a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration: {MESSAGE}")]
pub struct DurationError {
    /// The text that was given.
    pub text: String,
}

const MESSAGE: &str = "write whole numbers with units, as in \"250ms\", \"30s\", \"5m\", \"1h30m\" or \"7d\"";

/// Reads a duration such as `"30s"` or `"1h30m"`. Units: `ms`, `s`, `m`, `h`, `d`, `w`.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(evertask::parse_duration("1h30m")?, Duration::from_secs(90 * 60));
/// assert!(evertask::parse_duration("soon").is_err());
/// # Ok::<(), evertask::DurationError>(())
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    parse(text).ok_or_else(|| DurationError { text: text.to_owned() })
}

/// A duration known at compile time: a mistake in it is a compile error at the caller.
///
/// # Panics
/// At compile time, for text that is no duration.
#[track_caller]
pub const fn checked(text: &str) -> Duration {
    match parse(text) {
        Some(duration) => duration,
        None => panic!(
            "this is not a duration: write whole numbers with units, as in \"250ms\", \"30s\", \"5m\", \"1h30m\" or \"7d\""
        ),
    }
}

pub(crate) const fn parse(text: &str) -> Option<Duration> {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return None;
    }
    let (mut at, mut millis) = (0, 0_u64);
    while at < bytes.len() {
        let (start, mut number) = (at, 0_u64);
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            let Some(tens) = number.checked_mul(10) else { return None };
            let Some(next) = tens.checked_add((bytes[at] - b'0') as u64) else { return None };
            (number, at) = (next, at + 1);
        }
        if at == start || at == bytes.len() {
            return None;
        }
        let Some((unit, length)) = unit(bytes, at) else { return None };
        at += length;
        let Some(part) = number.checked_mul(unit) else { return None };
        let Some(sum) = millis.checked_add(part) else { return None };
        millis = sum;
    }
    Some(Duration::from_millis(millis))
}

/// One of a unit, without its number: `"s"`.
pub(crate) const fn parse_unit(text: &str) -> Option<Duration> {
    let bytes = text.as_bytes();
    match unit(bytes, 0) {
        Some((millis, length)) if length == bytes.len() => Some(Duration::from_millis(millis)),
        _ => None,
    }
}

/// The milliseconds of the unit that begins here, and the length of its name.
const fn unit(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    if at >= bytes.len() {
        return None;
    }
    Some(match bytes[at] {
        b'm' if at + 1 < bytes.len() && bytes[at + 1] == b's' => (1, 2),
        b's' => (1_000, 1),
        b'm' => (60_000, 1),
        b'h' => (3_600_000, 1),
        b'd' => (86_400_000, 1),
        b'w' => (604_800_000, 1),
        _ => return None,
    })
}

/// A length of time: a [`Duration`], or text such as `"10m"`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a length of time",
    label = "not a length of time",
    note = "a length of time is a `Duration`, or text such as \"250ms\", \"30s\", \"5m\", \"1h30m\" or \"7d\""
)]
pub trait IntoDuration {
    /// The duration, or what is wrong with the text.
    fn into_duration(self) -> Result<Duration, DurationError>;
}

impl IntoDuration for Duration {
    fn into_duration(self) -> Result<Duration, DurationError> {
        Ok(self)
    }
}

impl IntoDuration for &str {
    fn into_duration(self) -> Result<Duration, DurationError> {
        parse_duration(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_unit_and_their_sums() {
        for (text, millis) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
            ("1h30m", 5_400_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in
            ["", "5", "s", "-1s", "5 m", "1.5s", "10minutes", "5µs", "99999999999999999999s", "18446744073709551615w"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
