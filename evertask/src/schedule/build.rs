//! Schedules as people say them: every day at three, in Berlin, but not on Sundays.

use std::marker::PhantomData;

use super::clock::Timestamp;
use super::cron::Cron;
use super::exclusion::{Exclusion, ExclusionError};
use super::spec::{Misfire, Schedule, ScheduleError, Spec, millis};
use super::time_of_day::TimeOfDay;
use super::weekday::Weekday;
use super::when::When;
use crate::duration::IntoDuration;

/// A schedule that is being said. What is wrong with it is told by [`build`](Self::build), or where it is used.
#[derive(Debug, Clone)]
#[must_use]
pub struct ScheduleBuilder<Kind> {
    spec: Result<Spec, ScheduleError>,
    timed: bool,
    kind: PhantomData<Kind>,
}

/// Every so often, in elapsed time.
#[derive(Debug, Clone, Copy)]
pub enum Interval {}
/// By a cron expression.
#[derive(Debug, Clone, Copy)]
pub enum ByCron {}
/// Every day.
#[derive(Debug, Clone, Copy)]
pub enum Daily {}
/// Every week, on some of its days.
#[derive(Debug, Clone, Copy)]
pub enum Weekly {}
/// Every month, on some of its days.
#[derive(Debug, Clone, Copy)]
pub enum Monthly {}

/// A kind of schedule that has a time of day.
pub trait HasTimeOfDay: sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for Daily {}
impl sealed::Sealed for Weekly {}
impl sealed::Sealed for Monthly {}
impl HasTimeOfDay for Daily {}
impl HasTimeOfDay for Weekly {}
impl HasTimeOfDay for Monthly {}

/// Every so often, in elapsed time: at each whole multiple of `interval` since 1970-01-01 00:00 UTC, so that every
/// machine means the same times and a restart moves none; or since [`starting`](ScheduleBuilder::starting).
///
/// ```
/// use evertask::{Timestamp, every};
///
/// let quarterly = every("15m").build()?;
/// assert_eq!(quarterly.next_after(Timestamp::from_millis(1)), Some(Timestamp::from_millis(15 * 60_000)));
/// # Ok::<(), evertask::ScheduleError>(())
/// ```
pub fn every(interval: impl IntoDuration) -> ScheduleBuilder<Interval> {
    ScheduleBuilder::new(interval.into_duration().map(When::Every).map_err(ScheduleError::from))
}

/// By a cron expression, in UTC unless a zone is given.
pub fn cron(text: &str) -> ScheduleBuilder<ByCron> {
    ScheduleBuilder::new(text.parse().map(When::Cron).map_err(ScheduleError::from))
}

/// By a cron expression that was checked when the program was compiled.
pub fn by_cron(cron: Cron) -> ScheduleBuilder<ByCron> {
    ScheduleBuilder::new(Ok(When::Cron(cron)))
}

/// Every day, at midnight unless a time is given.
///
/// ```
/// use evertask::every_day;
///
/// let nightly = every_day().at("03:00").in_zone("Europe/Berlin").except("SUN").build()?;
/// assert_eq!(nightly.to_string(), "0 3 * * * in Europe/Berlin, except SUN");
/// # Ok::<(), evertask::ScheduleError>(())
/// ```
pub fn every_day() -> ScheduleBuilder<Daily> {
    ScheduleBuilder::new(Ok(When::Cron(Cron::MIDNIGHT)))
}

/// Every week, on Monday unless days are given, at midnight unless a time is.
pub fn every_week() -> ScheduleBuilder<Weekly> {
    ScheduleBuilder::new(Ok(When::Cron(Cron { weekdays: 0, ..Cron::MIDNIGHT })))
}

/// Every month, on the first unless days are given, at midnight unless a time is.
pub fn every_month() -> ScheduleBuilder<Monthly> {
    ScheduleBuilder::new(Ok(When::Cron(Cron { days: 0, ..Cron::MIDNIGHT })))
}

impl<Kind> ScheduleBuilder<Kind> {
    fn new(when: Result<When, ScheduleError>) -> Self {
        Self { spec: when.map(Spec::new), timed: false, kind: PhantomData }
    }

    fn with(mut self, set: impl FnOnce(&mut Spec) -> Result<(), ScheduleError>) -> Self {
        if let Ok(spec) = &mut self.spec
            && let Err(error) = set(spec)
        {
            self.spec = Err(error);
        }
        self
    }

    fn with_cron(self, set: impl FnOnce(&mut Cron) -> Result<(), ScheduleError>) -> Self {
        self.with(|spec| spec.cron.as_mut().map_or(Ok(()), set))
    }

    /// By the wall clock of this zone, an IANA name such as `Europe/Berlin`. It is UTC otherwise.
    pub fn in_zone(self, name: &str) -> Self {
        self.with(|spec| {
            name.clone_into(&mut spec.zone);
            Ok(())
        })
    }

    /// No slot is before this time. An interval counts from it, and has its first slot there.
    pub fn starting(self, at: impl Into<Timestamp>) -> Self {
        self.with(|spec| {
            spec.starting = Some(at.into());
            Ok(())
        })
    }

    /// No slot is after this time.
    pub fn until(self, at: impl Into<Timestamp>) -> Self {
        self.with(|spec| {
            spec.until = Some(at.into());
            Ok(())
        })
    }

    /// It fires so often at most.
    pub fn max_runs(self, most: u64) -> Self {
        self.with(|spec| {
            spec.max_runs = Some(most);
            Ok(())
        })
    }

    /// Leaves something out: a weekday, `"SUN"`; a date, `"2026-12-25"`; dates, `"2026-12-24..2027-01-01"`; or times of
    /// day, `"22:00..06:00"`. See [`Exclusion`].
    pub fn except(self, what: impl TryInto<Exclusion, Error: Into<ExclusionError>>) -> Self {
        self.with(|spec| {
            spec.except.push(what.try_into().map_err(Into::into)?);
            Ok(())
        })
    }

    /// Each run begins up to this much later than its slot, so that not all begin at once. How much follows from the
    /// schedule's id and the slot.
    pub fn jitter(self, most: impl IntoDuration) -> Self {
        self.with(|spec| {
            spec.jitter_ms = millis(most.into_duration()?);
            Ok(())
        })
    }

    /// What to do about slots that nobody was there to fire.
    pub fn misfire(self, misfire: Misfire) -> Self {
        self.with(|spec| {
            spec.misfire = misfire;
            Ok(())
        })
    }

    /// How late a slot may be and still be on time: a minute otherwise.
    pub fn grace(self, most: impl IntoDuration) -> Self {
        self.with(|spec| {
            spec.grace_ms = millis(most.into_duration()?);
            Ok(())
        })
    }

    /// The schedule, or the first thing that is wrong with it.
    pub fn build(self) -> Result<Schedule, ScheduleError> {
        let mut spec = self.spec?;
        if let Some(cron) = &mut spec.cron {
            if cron.weekdays == 0 {
                cron.weekdays = 1 << Weekday::Monday as u32;
            }
            if cron.days == 0 {
                cron.days = 1 << 1;
            }
        }
        spec.try_into()
    }
}

impl<Kind: HasTimeOfDay> ScheduleBuilder<Kind> {
    /// At this time of day: `"03:00"`, or `"03:00:30"`.
    pub fn at(mut self, time: &str) -> Self {
        let twice = std::mem::replace(&mut self.timed, true);
        self.with_cron(|cron| {
            if twice {
                return Err(ScheduleError::AtTwice);
            }
            let wrong = || ScheduleError::TimeOfDay { text: time.chars().take(40).collect() };
            let time = TimeOfDay::parse(time.as_bytes()).filter(|time| *time < TimeOfDay::END).ok_or_else(wrong)?;
            let (hour, minute, second) = time.hour_minute_second();
            (cron.hours, cron.minutes, cron.seconds) = (1 << hour, 1 << minute, 1 << second);
            Ok(())
        })
    }
}

impl ScheduleBuilder<Weekly> {
    /// On this day; more than once for several days.
    pub fn on(self, weekday: Weekday) -> Self {
        self.with_cron(|cron| {
            cron.weekdays |= 1 << weekday as u32;
            Ok(())
        })
    }
}

impl ScheduleBuilder<Monthly> {
    /// On this day of the month, from 1; more than once for several days. A month without it is left out.
    pub fn on_day(self, day: u32) -> Self {
        self.with_cron(|cron| {
            if !(1..=31).contains(&day) {
                return Err(ScheduleError::DayOfMonth { day });
            }
            cron.days |= 1 << day;
            Ok(())
        })
    }

    /// On the last day of the month.
    pub fn on_last_day(self) -> Self {
        self.with_cron(|cron| {
            cron.days |= 1;
            Ok(())
        })
    }
}

/// A schedule, one that is being said, or the text of a cron expression.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no schedule",
    label = "not a schedule",
    note = "a schedule is what `every_day().at(\"03:00\")` and its like say, or the text of a cron expression"
)]
pub trait IntoSchedule {
    /// The schedule, or what is wrong with it.
    fn into_schedule(self) -> Result<Schedule, ScheduleError>;
}

impl IntoSchedule for Schedule {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        Ok(self)
    }
}

impl<Kind> IntoSchedule for ScheduleBuilder<Kind> {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        self.build()
    }
}

impl IntoSchedule for Cron {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        Spec::new(When::Cron(self)).try_into()
    }
}

impl IntoSchedule for &str {
    fn into_schedule(self) -> Result<Schedule, ScheduleError> {
        cron(self).build()
    }
}
