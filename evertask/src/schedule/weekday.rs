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
    pub(super) const fn named(text: &str) -> Option<Self> {
        let mut at = 0;
        while at < Self::NAMES.len() {
            if Self::NAMES[at].1.eq_ignore_ascii_case(text) {
                return Some(Self::NAMES[at].0);
            }
            at += 1;
        }
        None
    }
}

impl fmt::Display for Weekday {
    /// Its name in a cron expression: `SUN`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize].1)
    }
}
