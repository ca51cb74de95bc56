//! Where clocks change, and what is left out: the rules of the guide, one by one.

use evertask::{IntoSchedule, Schedule, ScheduleBuilder, Timestamp, cron, every, every_day};

use crate::at;

/// The slots from one time until before another, by the wall clock, without the zone's name.
fn between(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
    let (from, to) = (at(from), at(to));
    schedule
        .slots_after(Timestamp::from_millis(from.as_millis() - 1))
        .take_while(|slot| *slot < to)
        .map(|slot| schedule.wall_clock(slot).split('[').next().unwrap_or_default().to_owned())
        .collect()
}

fn of<Kind>(builder: ScheduleBuilder<Kind>) -> Schedule {
    builder.build().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_time_that_is_skipped_is_the_first_after_the_gap() {
    let nightly = of(cron("30 2 * * *").in_zone("Europe/Berlin"));
    assert_eq!(
        between(&nightly, "2026-03-28T00:00+01:00", "2026-03-31T00:00+02:00"),
        ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    );
    let several = of(cron("*/20 2,3 * * *").in_zone("Europe/Berlin"));
    assert_eq!(
        between(&several, "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00"),
        ["2026-03-29T03:00:00+02:00", "2026-03-29T03:20:00+02:00", "2026-03-29T03:40:00+02:00"]
    );
}

#[test]
fn a_time_that_is_repeated_is_the_first_of_them() {
    let nightly = of(cron("30 2 * * *").in_zone("Europe/Berlin"));
    assert_eq!(
        between(&nightly, "2026-10-24T00:00+02:00", "2026-10-27T00:00+01:00"),
        ["2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
    );
    // Asked in the middle of the second time: it is over.
    let next = nightly.next_after(at("2026-10-25T02:10+01:00")).map(|slot| nightly.wall_clock(slot));
    assert_eq!(next.as_deref(), Some("2026-10-26T02:30:00+01:00[Europe/Berlin]"));
}

#[test]
fn what_fires_each_hour_follows_elapsed_time() {
    let hourly = of(cron("15 * * * *").in_zone("America/New_York"));
    assert_eq!(
        between(&hourly, "2026-03-08T00:00-05:00", "2026-03-08T05:00-04:00"),
        [
            "2026-03-08T00:15:00-05:00",
            "2026-03-08T01:15:00-05:00",
            "2026-03-08T03:15:00-04:00",
            "2026-03-08T04:15:00-04:00"
        ]
    );
    assert_eq!(
        between(&hourly, "2026-11-01T00:00-04:00", "2026-11-01T03:00-05:00"),
        [
            "2026-11-01T00:15:00-04:00",
            "2026-11-01T01:15:00-04:00",
            "2026-11-01T01:15:00-05:00",
            "2026-11-01T02:15:00-05:00"
        ]
    );
}

#[test]
fn every_second_hour_is_a_list_of_times_of_day() {
    let schedule = of(cron("0 */2 * * *").in_zone("America/New_York"));
    assert_eq!(
        between(&schedule, "2026-03-08T00:00-05:00", "2026-03-08T05:00-04:00"),
        ["2026-03-08T00:00:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"]
    );
}

#[test]
fn a_clock_may_change_by_half_an_hour() {
    let schedule = of(cron("15 2 * * *").in_zone("Australia/Lord_Howe"));
    assert_eq!(
        between(&schedule, "2026-10-03T00:00+10:30", "2026-10-06T00:00+11:00"),
        ["2026-10-03T02:15:00+10:30", "2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"]
    );
    let repeated = of(cron("45 1 * * *").in_zone("Australia/Lord_Howe"));
    assert_eq!(between(&repeated, "2026-04-05T00:00+11:00", "2026-04-06T00:00+10:30"), ["2026-04-05T01:45:00+11:00"]);
}

#[test]
fn a_midnight_or_a_day_may_be_skipped() {
    let midnight = of(every_day().in_zone("America/Sao_Paulo"));
    assert_eq!(
        between(&midnight, "2018-11-03T00:00-03:00", "2018-11-06T00:00-02:00"),
        ["2018-11-03T00:00:00-03:00", "2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"]
    );
    let morning = of(every_day().at("09:00").in_zone("Pacific/Apia"));
    assert_eq!(
        between(&morning, "2011-12-29T00:00-10:00", "2012-01-01T00:00+14:00"),
        ["2011-12-29T09:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T09:00:00+14:00"]
    );
    let that_day = of(cron("0 9 30 12 *").in_zone("Pacific/Apia"));
    assert_eq!(between(&that_day, "2011-12-01T00:00-10:00", "2012-06-01T00:00+14:00"), ["2011-12-31T00:00:00+14:00"]);
}

#[test]
fn seconds_follow_the_same_rules() {
    let schedule = of(cron("30 59 1 * * *").in_zone("America/New_York"));
    assert_eq!(between(&schedule, "2026-11-01T00:00-04:00", "2026-11-01T05:00-05:00"), ["2026-11-01T01:59:30-04:00"]);
    let each = of(cron("* * * * * *").in_zone("Europe/Berlin"));
    let from = at("2026-10-25T00:00Z").as_millis();
    let slots: Vec<_> = each.slots_after(Timestamp::from_millis(from)).take(7_200).map(Timestamp::as_millis).collect();
    assert!(slots.iter().zip(1..).all(|(slot, second)| *slot == from + second * 1_000));
}

#[test]
fn an_interval_is_elapsed_time_whatever_the_clocks_say() {
    let schedule = of(every("90m").in_zone("Europe/Berlin"));
    let slots: Vec<_> = schedule.upcoming(at("2026-03-28T00:00Z"), 40).into_iter().map(Timestamp::as_millis).collect();
    assert!(slots.iter().all(|slot| slot % (90 * 60_000) == 0));
    assert!(slots.windows(2).all(|pair| pair[1] - pair[0] == 90 * 60_000));
    let start = at("2026-01-01T00:00:07.250Z");
    let anchored = of(every("1h").starting(start));
    assert_eq!(anchored.next_after(at("2000-01-01T00:00Z")), Some(start));
    assert_eq!(anchored.next_after(start), Some(at("2026-01-01T01:00:07.250Z")));
}

#[test]
fn what_is_excluded_is_no_slot() {
    let schedule =
        of(cron("0 9 * * *").in_zone("Europe/Berlin").except("SAT").except("sun").except("2026-12-24..2027-01-01"));
    assert_eq!(
        between(&schedule, "2026-12-18T00:00+01:00", "2027-01-06T00:00+01:00"),
        [
            "2026-12-18T09:00:00+01:00",
            "2026-12-21T09:00:00+01:00",
            "2026-12-22T09:00:00+01:00",
            "2026-12-23T09:00:00+01:00",
            "2027-01-04T09:00:00+01:00",
            "2027-01-05T09:00:00+01:00"
        ]
    );
    let by_day = of(every("6h").except("22:00..06:00").in_zone("Asia/Kathmandu"));
    assert_eq!(
        between(&by_day, "2026-06-01T00:00Z", "2026-06-02T00:00Z"),
        ["2026-06-01T11:45:00+05:45", "2026-06-01T17:45:00+05:45"]
    );
}

#[test]
fn ten_years_of_seconds_that_are_excluded_are_one_step() {
    let schedule = of(cron("* * * * * *").in_zone("Europe/Berlin").except("2026-01-01..2035-12-31"));
    let next = schedule.next_after(at("2026-06-01T00:00Z")).map(|slot| schedule.wall_clock(slot));
    assert_eq!(next.as_deref(), Some("2036-01-01T00:00:00+01:00[Europe/Berlin]"));
}

#[test]
fn what_leaves_nothing_is_an_error() {
    for nothing in [
        cron("0 9 * * MON").except("MON"),
        cron("0 9 * * *").except("08:00..10:00"),
        cron("0 9 * * *").except("00:00..12:00").except("12:00..24:00"),
        cron("0 9 25 12 *").except("2020-01-01..2400-01-01").starting(at("2026-01-01T00:00Z")),
    ] {
        assert_eq!(nothing.build(), Err(evertask::ScheduleError::Never));
    }
}

#[test]
fn a_schedule_begins_and_ends() {
    let schedule = of(every_day().starting(at("2026-06-01T00:00Z")).until(at("2026-06-03T00:00Z")));
    assert_eq!(
        schedule.upcoming(at("2020-01-01T00:00Z"), 10),
        [at("2026-06-01T00:00Z"), at("2026-06-02T00:00Z"), at("2026-06-03T00:00Z")]
    );
    assert_eq!(schedule.next_after(at("2026-06-03T00:00Z")), None);
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    let daily = "@daily".into_schedule().expect("it is right");
    assert_eq!(daily.next_after(Timestamp::from_millis(i64::MAX)), None);
    assert!(daily.next_after(Timestamp::from_millis(i64::MIN)).is_some());
    assert_eq!(daily.wall_clock(Timestamp::from_millis(i64::MAX)), "9223372036854775807 ms");
    let berlin = of(every_day().in_zone("Europe/Berlin"));
    let far = at("9998-07-01T00:00Z");
    assert!(berlin.next_after(far).is_some());
    assert_eq!(berlin.next_after(at("9999-12-30T20:00Z")), None);
}
