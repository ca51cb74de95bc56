//! Schedules: the expressions, the calendar against one that looks at every minute, what is due.

#![allow(clippy::expect_used)]

mod calendar;
mod crons;
mod oracle;
mod plans;
mod rules;
mod say;

use evertask::Timestamp;

/// A time as it is written, with its offset: `2026-03-29T03:00+02:00`.
fn at(text: &str) -> Timestamp {
    let time: jiff::Timestamp = text.parse().expect("a time with its offset");
    Timestamp::from_millis(time.as_millisecond())
}
