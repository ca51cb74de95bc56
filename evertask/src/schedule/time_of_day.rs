//! A time of day as people write it.

use std::fmt;

use super::days::two;

/// Seconds since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TimeOfDay(u32);

impl TimeOfDay {
    /// The midnight at which a day ends.
    pub(super) const END: Self = Self(86_400);

    /// `HH:MM` or `HH:MM:SS`; `24:00` is the end of a day.
    pub(super) const fn parse(text: &[u8]) -> Option<Self> {
        let (h1, h2, m1, m2, second) = match *text {
            [h1, h2, b':', m1, m2] => (h1, h2, m1, m2, Some(0)),
            [h1, h2, b':', m1, m2, b':', s1, s2] => (h1, h2, m1, m2, two(s1, s2)),
            _ => return None,
        };
        let (Some(hour), Some(minute), Some(second)) = (two(h1, h2), two(m1, m2), second) else { return None };
        let time = hour as u32 * 3_600 + minute as u32 * 60 + second as u32;
        if minute < 60 && second < 60 && time <= Self::END.0 { Some(Self(time)) } else { None }
    }

    pub(super) fn hour_minute_second(self) -> (u32, u32, u32) {
        (self.0 / 3_600, self.0 / 60 % 60, self.0 % 60)
    }

    pub(super) const fn millis(self) -> i64 {
        self.0 as i64 * 1_000
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = self.hour_minute_second();
        write!(f, "{hour:02}:{minute:02}")?;
        if second > 0 { write!(f, ":{second:02}") } else { Ok(()) }
    }
}
