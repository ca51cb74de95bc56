//! When work runs: the clock that is passed in, the pauses between attempts, and what recurs.
//!
//! `cron` and `when` say what recurs on a wall clock that never changes, `calendar` brings it into a zone and around
//! `exclusion`s, `spec` is a schedule as it is stored, `build` how people say one, and `plan` what is due. Nothing here
//! asks for the time.

pub(crate) mod build;
mod calendar;
pub(crate) mod clock;
pub(crate) mod cron;
mod days;
pub(crate) mod exclusion;
mod plan;
pub(crate) mod retry;
mod spec;
mod time_of_day;
mod weekday;
mod when;

pub use build::{
    ByCron, Daily, HasTimeOfDay, Interval, IntoSchedule, Monthly, ScheduleBuilder, Weekly, cron, every, every_day,
    every_month, every_week,
};
pub use clock::{Clock, SystemClock, Timestamp};
pub use cron::{Cron, CronError, CronFault, CronField, FieldFault};
pub use exclusion::{Exclusion, ExclusionError};
pub use plan::{MOST_AT_ONCE, Plan, Slot};
pub use retry::{Backoff, Pauses, Retry};
pub use spec::{Misfire, Schedule, ScheduleError};
pub use weekday::Weekday;
pub use when::When;
