//! Schedules beside what they start, and pauses one by one.
#![deny(warnings, missing_docs, clippy::pedantic)]
#![forbid(unsafe_code)]

use std::time::Duration;

use evertask::registry::{Recurs, Registered};
use evertask::{Misfire, Retry, Schedule, Timestamp, every, every_day, prelude::*, workflow};
use serde::{Deserialize, Serialize};

/// When nothing runs any more.
const END: Timestamp = Timestamp::from_millis(1_798_761_600_000);

/// Each night.
#[task(schedule = "0 3 * * *", retry(backoff = list("1s", "5s", "1m")))]
pub async fn tidy_up() -> Result<(), String> {
    Ok(())
}

/// With all that can be said.
#[task(schedule(
    "0 */10 9-17 * * MON-FRI",
    zone = "Europe/Berlin",
    misfire = catch_up(3),
    jitter = "30s",
    grace = "5m",
    max_runs = 100,
    except("2026-12-24..2027-01-01", "12:00..13:00"),
    starting = std::time::UNIX_EPOCH,
    until = END,
    payload = (7, "text".to_owned()),
))]
pub async fn remind(user: u64, text: String) -> Result<(), String> {
    Err(format!("{user}: {text}"))
}

/// By an expression.
#[task(schedule = every("15m").misfire(Misfire::Skip))]
#[derive(Debug, Serialize, Deserialize)]
pub struct Beat;

impl Handler for Beat {
    type Output = ();
    type Error = String;

    async fn run(self, _: &Context) -> Result<(), String> {
        Ok(())
    }
}

/// By an expression, with its own payload.
#[task(schedule(every_day().at("03:00"), payload = Rotate { keep: DAYS }))]
#[derive(Debug, Serialize, Deserialize)]
pub struct Rotate {
    /// So many days.
    pub keep: u32,
}

const DAYS: u32 = 9;

impl Handler for Rotate {
    type Output = ();
    type Error = String;

    async fn run(self, _: &Context) -> Result<(), String> {
        Err(self.keep.to_string())
    }
}

workflow! {
    /// Each night, with nothing.
    #[workflow(schedule("@daily", misfire = skip))]
    pub Nightly<()> {
        tidy_up {}
    }
}

workflow! {
    /// Each week, with a number.
    #[workflow(schedule("0 0 * * SUN,MON", misfire = once, except = "SUN", payload = 5))]
    pub Weekly<u64> {
        count {}
    }
}

/// A first step.
#[task]
pub async fn count(number: u64) -> Result<(), String> {
    Err(number.to_string())
}

/// A run of the attribute form.
#[workflow(start(_nothing) => count(3), schedule = "@hourly")]
#[derive(Debug, Serialize, Deserialize)]
pub struct Hourly {}

fn of<W: Work>() -> Recurs {
    let recurs = match W::registered() {
        Registered::Task(entry) => entry.recurs,
        Registered::Workflow(entry) => entry.recurs,
        Registered::Signal => None,
    };
    recurs.unwrap_or_else(|| panic!("{} does not recur", W::NAME))
}

fn schedule<W: Work>() -> Schedule {
    (of::<W>().schedule)().unwrap_or_else(|error| panic!("{error}"))
}

fn payload<W: Work>() -> String {
    String::from_utf8((of::<W>().payload)().unwrap_or_default()).unwrap_or_default()
}

fn main() {
    assert_eq!(schedule::<tidy_up>().to_string(), "0 3 * * * in UTC");
    assert_eq!(payload::<tidy_up>(), "{}");
    let pauses = [1, 5, 60].map(Duration::from_secs);
    assert_eq!(tidy_up::entry().options.retry, Some(Retry::list(&pauses)));

    let office = schedule::<remind>();
    assert_eq!((office.zone(), office.misfire()), ("Europe/Berlin", Misfire::CatchUp { most: 3 }));
    assert_eq!((office.jitter(), office.grace()), (Duration::from_secs(30), Duration::from_secs(300)));
    assert_eq!((office.max_runs(), office.until()), (Some(100), Some(END)));
    assert_eq!((office.starting(), office.exclusions().len()), (Some(Timestamp::from_millis(0)), 2));
    assert_eq!(payload::<remind>(), r#"{"user":7,"text":"text"}"#);

    assert_eq!((schedule::<Beat>().to_string(), payload::<Beat>()), ("every 900s in UTC".into(), "null".into()));
    assert_eq!((schedule::<Rotate>().to_string(), payload::<Rotate>()), ("0 3 * * * in UTC".into(), r#"{"keep":9}"#.into()));
    assert_eq!((schedule::<Nightly>().misfire(), payload::<Nightly>()), (Misfire::Skip, "null".into()));
    assert_eq!((schedule::<Weekly>().to_string(), payload::<Weekly>()), ("0 0 * * 0,1 in UTC, except SUN".into(), "5".into()));
    assert_eq!((schedule::<Hourly>().to_string(), payload::<Hourly>()), ("0 * * * * in UTC".into(), "{}".into()));
    assert!(Registered::Task(count::entry()).name() == "count" && count::entry().recurs.is_none());
}
