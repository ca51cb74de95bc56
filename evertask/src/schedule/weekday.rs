//! The days of the week.

use std::fmt;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Weekday {
    Sunday,
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
}

impl Weekday {
    const NAMES: [(Self, &str); 7] = [
        (Self::Sunday, "SUN"),
        (Self::Monday, "MON"),
        (Self::Tuesday, "TUE"),
        (Self::Wednesday, "WED"),
        (Self::Thursday, "THU"),
        (Self::Friday, "FRI"),
        (Self::Saturday, "SAT"),
    ];

    /// The one of this name, in letters of either case.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(weekday, _)| *weekday)
    }
}

impl fmt::Display for Weekday {
    /// Its name in a cron expression: `SUN`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize].1)
    }
}
