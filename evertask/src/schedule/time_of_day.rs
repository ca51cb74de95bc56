//! A time of day as people write it.

use std::fmt;

/// Seconds since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TimeOfDay(u32);

impl TimeOfDay {
    /// The midnight at which a day ends.
    pub(super) const END: Self = Self(86_400);

    /// `HH:MM` or `HH:MM:SS`; `24:00` is the end of a day.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':').map(|part| {
            (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u32>().ok())?
        });
        let (hour, minute) = (parts.next()??, parts.next()??);
        let second = match parts.next() {
            Some(second) => second?,
            None => 0,
        };
        let time = Self(hour * 3_600 + minute * 60 + second);
        (parts.next().is_none() && minute < 60 && second < 60 && time <= Self::END).then_some(time)
    }

    pub(super) fn hour_minute_second(self) -> (u32, u32, u32) {
        (self.0 / 3_600, self.0 / 60 % 60, self.0 % 60)
    }

    pub(super) fn millis(self) -> i64 {
        i64::from(self.0) * 1_000
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = self.hour_minute_second();
        write!(f, "{hour:02}:{minute:02}")?;
        if second > 0 { write!(f, ":{second:02}") } else { Ok(()) }
    }
}
