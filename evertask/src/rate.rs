//! Rates as people write them: `"100/s"`, `"5/m"`, `"10/5s"`.
//! One parser, at compile time for what a macro was given and at run time for the rest.

use std::str::FromStr;

use crate::duration;
use crate::store::Rate;

/// What is wrong with a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a rate: {MESSAGE}")]
pub struct RateError {
    /// The text that was given.
    pub text: String,
}

const MESSAGE: &str = "write how many in how long, as in \"100/s\", \"5/m\", \"1000/h\" or \"10/5s\"";

impl Rate {
    /// Lets so many start at once after a rest, instead of one; at least one.
    #[must_use]
    pub const fn burst(self, tasks: u32) -> Self {
        Self { burst: if tasks == 0 { 1 } else { tasks }, ..self }
    }
}

/// `"100/s"`, `"5/m"` or `"10/5s"`: so many in that time, spread evenly over it.
///
/// ```
/// use evertask::Rate;
///
/// let rate: Rate = "100/s".parse()?;
/// assert_eq!((rate.tasks, rate.per.as_secs(), rate.burst), (100, 1, 1));
/// assert!("100 a second".parse::<Rate>().is_err());
/// # Ok::<(), evertask::RateError>(())
/// ```
impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        parse(text).ok_or_else(|| RateError { text: text.to_owned() })
    }
}

/// A rate known at compile time: a mistake in it is a compile error at the caller.
///
/// # Panics
/// At compile time, for text that is no rate.
#[track_caller]
pub const fn checked(text: &str) -> Rate {
    match parse(text) {
        Some(rate) => rate,
        None => {
            panic!("this is not a rate: write how many in how long, as in \"100/s\", \"5/m\", \"1000/h\" or \"10/5s\"")
        }
    }
}

const fn parse(text: &str) -> Option<Rate> {
    let bytes = text.as_bytes();
    let (mut at, mut tasks) = (0, 0_u32);
    while at < bytes.len() && bytes[at].is_ascii_digit() {
        let Some(tens) = tasks.checked_mul(10) else { return None };
        let Some(next) = tens.checked_add((bytes[at] - b'0') as u32) else { return None };
        (tasks, at) = (next, at + 1);
    }
    if tasks == 0 || at + 1 >= bytes.len() || bytes[at] != b'/' {
        return None;
    }
    let (_, per) = text.split_at(at + 1);
    let per = if bytes[at + 1].is_ascii_digit() { duration::parse(per) } else { duration::parse_unit(per) };
    match per {
        Some(per) if !per.is_zero() => Some(Rate { tasks, per, burst: 1 }),
        _ => None,
    }
}

/// So many in a time: a [`Rate`], or text such as `"100/s"`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a rate",
    label = "not a rate",
    note = "a rate is a `Rate`, or text such as \"100/s\", \"5/m\", \"1000/h\" or \"10/5s\""
)]
pub trait IntoRate {
    /// The rate, or what is wrong with the text.
    fn into_rate(self) -> Result<Rate, RateError>;
}

impl IntoRate for Rate {
    fn into_rate(self) -> Result<Rate, RateError> {
        Ok(self)
    }
}

impl IntoRate for &str {
    fn into_rate(self) -> Result<Rate, RateError> {
        self.parse()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn reads_how_many_in_how_long() {
        for (text, tasks, millis) in [
            ("100/s", 100, 1_000),
            ("5/m", 5, 60_000),
            ("1000/h", 1_000, 3_600_000),
            ("10/5s", 10, 5_000),
            ("1/1h30m", 1, 5_400_000),
            ("7/250ms", 7, 250),
            ("3/ms", 3, 1),
            ("2/d", 2, 86_400_000),
        ] {
            assert_eq!(text.parse(), Ok(Rate { tasks, per: Duration::from_millis(millis), burst: 1 }), "{text}");
        }
        assert_eq!(checked("100/s").burst(0).burst, 1);
    }

    #[test]
    fn refuses_what_is_no_rate() {
        for text in
            ["", "/", "100", "100/", "/s", "0/s", "5/0s", "-1/s", "5 / s", "1.5/s", "5/sm", "5/5", "99999999999/s"]
        {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
