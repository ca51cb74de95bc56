//! How a cron expression is printed: one text for each meaning.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fault::CronField;
use super::{Cron, has};

impl fmt::Display for Cron {
    /// The canonical text, which reads back as the same expression. Seconds are left out where they are 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seconds != 1 {
            field(f, CronField::Second, self.seconds)?;
            f.write_str(" ")?;
        }
        let rest = [
            (CronField::Minute, self.minutes),
            (CronField::Hour, self.hours),
            (CronField::Day, self.days),
            (CronField::Month, self.months),
        ];
        for (of, set) in rest {
            field(f, of, set)?;
            f.write_str(" ")?;
        }
        field(f, CronField::Weekday, self.weekdays)
    }
}

fn field(f: &mut fmt::Formatter<'_>, of: CronField, set: u64) -> fmt::Result {
    if set == of.full() {
        return f.write_str("*");
    }
    if let Some(step) = step(of, set) {
        return write!(f, "*/{step}");
    }
    let (mut at, mut comma) = (of.lowest(), "");
    while at <= of.highest() {
        let first = at;
        while has(set, at) && at <= of.highest() {
            at += 1;
        }
        match at - first {
            0 => at += 1,
            1 => {
                write!(f, "{comma}{first}")?;
                comma = ",";
            }
            2 => {
                write!(f, "{comma}{first},{}", first + 1)?;
                comma = ",";
            }
            _ => {
                write!(f, "{comma}{first}-{}", at - 1)?;
                comma = ",";
            }
        }
    }
    if of == CronField::Day && has(set, 0) { write!(f, "{comma}L") } else { Ok(()) }
}

/// The `n` of `*/n`, if that is what the set is.
fn step(of: CronField, set: u64) -> Option<u32> {
    if set.count_ones() < 3 || set.trailing_zeros() != of.lowest() {
        return None;
    }
    let step = (set & (set - 1)).trailing_zeros() - of.lowest();
    let numbers = (of.lowest()..=of.highest()).step_by(usize::try_from(step).ok()?);
    (step > 1 && set == numbers.fold(0, |set, number| set | 1 << number)).then_some(step)
}

impl Serialize for Cron {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cron {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
