//! A schedule: what recurs, where, and within which limits. It is stored as JSON.

use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::clock::Timestamp;
use super::cron::{Cron, CronError};
use super::exclusion::{Closed, Exclusion, ExclusionError};
use super::when::{Pattern, When};
use crate::duration::DurationError;

/// How late a slot may be and still be on time.
pub(super) const GRACE: Duration = Duration::from_mins(1);

/// When work recurs. [`every_day`](super::every_day) and its like make one, and so does the text of a cron expression.
///
/// Its times are its *slots*. They follow from the schedule alone: every machine computes the same ones, whenever it
/// asks, and asking changes nothing. `docs/guides/schedules.md` has the rules where clocks change.
///
/// ```
/// use evertask::{IntoSchedule, Misfire, Timestamp, Weekday, every_week};
///
/// let report = every_week().on(Weekday::Monday).at("09:00").in_zone("Europe/Berlin").misfire(Misfire::Skip).build()?;
/// let tuesday = Timestamp::from_millis(1_774_951_200_000);
/// let next = report.next_after(tuesday).expect("it has no end");
/// assert_eq!(report.wall_clock(next), "2026-04-06T09:00:00+02:00[Europe/Berlin]");
///
/// let stored = serde_json::to_string(&report)?;
/// assert_eq!(serde_json::from_str::<evertask::Schedule>(&stored)?, report);
/// assert_eq!("0 9 * * MON".into_schedule()?.to_string(), "0 9 * * 1 in UTC");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Spec", into = "Spec")]
pub struct Schedule {
    spec: Spec,
    when: When,
    zone: TimeZone,
    closed: Closed,
}

/// What to do about slots that nobody was there to fire: those more than the grace period late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misfire {
    /// Nothing: they are lost.
    Skip,
    /// One run makes up for all of them: that of the last. A slot that is on time does too.
    #[default]
    Once,
    /// The last so many of them run, the oldest first.
    CatchUp {
        /// How many at most.
        most: u32,
    },
}

/// Why something is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The cron expression is wrong.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// A length of time is wrong.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// An exclusion is wrong.
    #[error(transparent)]
    Exclusion(#[from] ExclusionError),
    /// The text is no time of day.
    #[error("`{text}` is no time of day: write \"03:00\" or \"03:00:30\", from 00:00 to 23:59:59")]
    TimeOfDay {
        /// The text that was given.
        text: String,
    },
    /// There are two times of day.
    #[error("a schedule has one `at`: make two schedules, or write a cron expression such as \"0 9,17 * * *\"")]
    AtTwice,
    /// No month has such a day.
    #[error("no month has a day {day}: days are from 1 to 31, and `on_last_day` is the last")]
    DayOfMonth {
        /// The day that was given.
        day: u32,
    },
    /// The zone is not known here.
    #[error("this machine knows no time zone `{name}`: write an IANA name, as in \"Europe/Berlin\"")]
    Zone {
        /// The name that was given.
        name: String,
    },
    /// The interval is shorter than a second, or longer than can be counted.
    #[error("an interval of {interval:?} is no schedule: the shortest is a second, the longest a hundred years")]
    Interval {
        /// The interval that was given.
        interval: Duration,
    },
    /// Its exclusions leave nothing.
    #[error("it never fires: its exclusions leave nothing")]
    Never,
    /// It is neither a cron expression nor an interval, or it is both.
    #[error("a schedule has either `cron` or `every_ms`")]
    Form,
}

/// A schedule as it is stored. An unknown field is an error: one that is ignored might be an exclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cron: Option<Cron>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) every_ms: Option<u64>,
    #[serde(default = "utc")]
    pub(super) zone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) starting: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_runs: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) except: Vec<Exclusion>,
    #[serde(default)]
    pub(super) jitter_ms: u64,
    #[serde(default)]
    pub(super) misfire: Misfire,
    #[serde(default = "grace")]
    pub(super) grace_ms: u64,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn grace() -> u64 {
    millis(GRACE)
}

/// Whole milliseconds; what has too many is as long as can be said.
pub(super) const fn millis(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000);
    seconds.saturating_add(duration.subsec_millis() as u64)
}

impl Spec {
    pub(super) fn new(when: When) -> Self {
        let (cron, every_ms) = match when {
            When::Cron(cron) => (Some(cron), None),
            When::Every(interval) => (None, Some(millis(interval))),
        };
        Self {
            cron,
            every_ms,
            zone: utc(),
            starting: None,
            until: None,
            max_runs: None,
            except: Vec::new(),
            jitter_ms: 0,
            misfire: Misfire::default(),
            grace_ms: grace(),
        }
    }

    fn when(&self) -> Result<When, ScheduleError> {
        const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);
        match (self.cron, self.every_ms.map(Duration::from_millis)) {
            (Some(cron), None) => Ok(When::Cron(cron)),
            (None, Some(interval)) if interval < Duration::from_secs(1) || interval > LONGEST => {
                Err(ScheduleError::Interval { interval })
            }
            (None, Some(interval)) => Ok(When::Every(interval)),
            _ => Err(ScheduleError::Form),
        }
    }
}

impl TryFrom<Spec> for Schedule {
    type Error = ScheduleError;

    fn try_from(mut spec: Spec) -> Result<Self, ScheduleError> {
        let when = spec.when()?;
        // Where there is no database at all, there is UTC.
        let zone = if spec.zone == "UTC" { Ok(TimeZone::UTC) } else { TimeZone::get(&spec.zone) };
        let zone = zone.map_err(|_| ScheduleError::Zone { name: spec.zone.chars().take(80).collect() })?;
        if let Some(name) = zone.iana_name() {
            name.clone_into(&mut spec.zone);
        }
        let closed = Closed::of(&spec.except).ok_or(ScheduleError::Never)?;
        let schedule = Self { spec, when, zone, closed };
        let start = schedule.spec.starting.map_or(0, Timestamp::as_millis);
        match schedule.calendar().first(start) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never),
        }
    }
}

impl From<Schedule> for Spec {
    fn from(schedule: Schedule) -> Self {
        schedule.spec
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl Eq for Schedule {}

impl Schedule {
    /// What recurs.
    pub fn when(&self) -> When {
        self.when
    }

    /// The IANA name of the zone whose wall clock it follows.
    pub fn zone(&self) -> &str {
        &self.spec.zone
    }

    /// No slot is before this.
    pub fn starting(&self) -> Option<Timestamp> {
        self.spec.starting
    }

    /// No slot is after this.
    pub fn until(&self) -> Option<Timestamp> {
        self.spec.until
    }

    /// How often it fires at most.
    pub fn max_runs(&self) -> Option<u64> {
        self.spec.max_runs
    }

    /// The longest that a run may be put off at random.
    pub fn jitter(&self) -> Duration {
        Duration::from_millis(self.spec.jitter_ms)
    }

    /// How late a slot may be and still be on time.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.spec.grace_ms)
    }

    /// What to do about slots that are later than that.
    pub fn misfire(&self) -> Misfire {
        self.spec.misfire
    }

    /// What it leaves out.
    pub fn exclusions(&self) -> &[Exclusion] {
        &self.spec.except
    }

    /// The first slot after this time; `None` if there is none any more. How often it has fired plays no part.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.slots_after(after).next()
    }

    /// All slots after this time, in order: each is later than the one before. How often it has fired plays no part.
    pub fn slots_after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let mut calendar = self.calendar();
        let mut from = after.as_millis().checked_add(1);
        std::iter::from_fn(move || {
            let slot = self.first(&mut calendar, from?)?;
            from = slot.checked_add(1);
            Some(Timestamp::from_millis(slot))
        })
    }

    /// The next `number` slots after this time.
    pub fn upcoming(&self, after: Timestamp, number: usize) -> Vec<Timestamp> {
        self.slots_after(after).take(number).collect()
    }

    /// What the wall clock of its zone says at this time, as in `2026-03-29T03:00:00+02:00[Europe/Berlin]`.
    pub fn wall_clock(&self, at: Timestamp) -> String {
        match jiff::Timestamp::from_millisecond(at.as_millis()) {
            Ok(time) => time.to_zoned_datetime(self.zone.clone()).to_string(),
            Err(_) => format!("{} ms", at.as_millis()),
        }
    }

    pub(super) fn calendar(&self) -> Calendar<'_> {
        let pattern = Pattern::new(self.when, self.spec.starting);
        Calendar::new(pattern, self.when.is_by_time_of_day(), &self.zone, &self.closed)
    }

    /// The first slot from this millisecond on.
    pub(super) fn first(&self, calendar: &mut Calendar<'_>, from: i64) -> Option<i64> {
        let from = self.spec.starting.map_or(from, |starting| from.max(starting.as_millis()));
        calendar.first(from).filter(|slot| self.spec.until.is_none_or(|until| *slot <= until.as_millis()))
    }

    /// How many slots there are from one millisecond until before another.
    pub(super) fn count(&self, calendar: &mut Calendar<'_>, from: i64, to: i64) -> u64 {
        let from = self.spec.starting.map_or(from, |starting| from.max(starting.as_millis()));
        let to = self.spec.until.map_or(to, |until| to.min(until.as_millis().saturating_add(1)));
        calendar.count(from, to)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.when, self.spec.zone)?;
        for (at, exclusion) in self.spec.except.iter().enumerate() {
            write!(f, "{} {exclusion}", if at == 0 { ", except" } else { "," })?;
        }
        if let Some(starting) = self.spec.starting {
            write!(f, ", from {}", self.wall_clock(starting))?;
        }
        if let Some(until) = self.spec.until {
            write!(f, ", until {}", self.wall_clock(until))?;
        }
        match self.spec.max_runs {
            Some(1) => f.write_str(", once"),
            Some(most) => write!(f, ", {most} times"),
            None => Ok(()),
        }
    }
}
