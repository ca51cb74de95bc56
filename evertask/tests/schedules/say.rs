//! Schedules as people say them, and as they are stored.

use std::time::Duration;

use evertask::{
    IntoSchedule, Misfire, Schedule, ScheduleBuilder, ScheduleError, Weekday, cron, every, every_day, every_month,
    every_week,
};

use crate::at;

#[test]
fn what_is_said_is_an_expression() {
    let text = |schedule: Result<Schedule, ScheduleError>| {
        schedule.map_or_else(|error| error.to_string(), |it| it.to_string())
    };
    for (said, meant) in [
        (every_day().build(), "0 0 * * * in UTC"),
        (every_day().at("03:00").in_zone("europe/berlin").build(), "0 3 * * * in Europe/Berlin"),
        (every_day().at("23:59:30").build(), "30 59 23 * * * in UTC"),
        (every_week().build(), "0 0 * * 1 in UTC"),
        (every_week().on(Weekday::Monday).on(Weekday::Sunday).at("09:15").build(), "15 9 * * 0,1 in UTC"),
        (every_month().build(), "0 0 1 * * in UTC"),
        (every_month().on_day(1).on_day(15).at("06:00").build(), "0 6 1,15 * * in UTC"),
        (every_month().on_last_day().build(), "0 0 L * * in UTC"),
        (every("15m").build(), "every 900s in UTC"),
        (every(Duration::from_secs(90)).max_runs(3).build(), "every 90s in UTC, 3 times"),
        ("@hourly".into_schedule(), "0 * * * * in UTC"),
        (
            every_day()
                .except(Weekday::Sunday)
                .except("2026-12-25")
                .except("22:00..06:00:30")
                .until(at("2027-01-01T00:00Z"))
                .max_runs(1)
                .build(),
            "0 0 * * * in UTC, except SUN, 2026-12-25, 22:00..06:00:30, until 2027-01-01T00:00:00+00:00[UTC], once",
        ),
    ] {
        // Midnight is in the night that the last of them leaves out.
        let meant = if meant.contains("except") { "it never fires: its exclusions leave nothing" } else { meant };
        assert_eq!(text(said), meant);
    }
}

#[test]
fn what_is_wrong_is_said_when_it_is_built() {
    fn why<Kind>(builder: ScheduleBuilder<Kind>) -> String {
        builder.build().expect_err("it is wrong").to_string()
    }
    assert_eq!(
        why(every_day().at("3:00")),
        "`3:00` is no time of day: write \"03:00\" or \"03:00:30\", from 00:00 to 23:59:59"
    );
    assert!(why(every_day().at("24:00")).contains("`24:00` is no time of day"));
    assert!(why(every_day().at("12:60")).contains("`12:60` is no time of day"));
    assert!(why(every_day().at("12:00:00:00")).contains("is no time of day"));
    assert!(why(every_day().at("03:00").at("04:00")).contains("one `at`"));
    assert_eq!(
        why(every_day().in_zone("Europe/Berln")),
        "this machine knows no time zone `Europe/Berln`: write an IANA name, as in \"Europe/Berlin\""
    );
    assert!(why(every_month().on_day(32)).contains("no month has a day 32"));
    assert!(why(every("1ms")).contains("no schedule"));
    assert!(why(every(Duration::MAX)).contains("no schedule"));
    assert!(why(every("soon")).contains("`soon` is not a duration"));
    assert!(why(cron("0 25 * * *")).contains("the hour `25`"));
    for text in
        ["Christmas", "2026-02-30", "2026-12-25..2026-12-24", "06:00..06:00", "24:00..06:00", "..", "2026-12-25T00:00"]
    {
        assert!(why(every_day().except(text)).contains(&format!("`{text}` is no exclusion")), "{text}");
    }
    // The first mistake is the one that is told.
    assert!(why(every_day().at("25:00").in_zone("Nowhere").except("never")).contains("25:00"));
}

#[test]
fn a_schedule_is_stored_as_it_is_written() {
    let schedule = every_week()
        .on(Weekday::Friday)
        .at("17:30")
        .in_zone("America/New_York")
        .except("2026-12-25")
        .jitter("30s")
        .misfire(Misfire::CatchUp { most: 5 })
        .starting(at("2026-01-01T00:00Z"))
        .max_runs(10)
        .build()
        .expect("it is right");
    let stored = serde_json::to_string(&schedule).expect("it can be stored");
    assert_eq!(
        stored,
        "{\"cron\":\"30 17 * * 5\",\"zone\":\"America/New_York\",\"starting\":1767225600000,\"max_runs\":10,\
         \"except\":[\"2026-12-25\"],\"jitter_ms\":30000,\"misfire\":{\"catch_up\":{\"most\":5}},\"grace_ms\":60000}"
    );
    assert_eq!(serde_json::from_str::<Schedule>(&stored).expect("it was stored"), schedule);
    let short: Schedule = serde_json::from_str("{\"every_ms\":60000}").expect("the rest is as usual");
    assert_eq!(Ok(short), every("1m").build());
}

#[test]
fn what_is_stored_wrongly_is_an_error() {
    for (stored, why) in [
        ("{}", "either `cron` or `every_ms`"),
        ("{\"cron\":\"@daily\",\"every_ms\":1000}", "either `cron` or `every_ms`"),
        ("{\"cron\":\"0 0 30 2 *\"}", "it never fires"),
        ("{\"cron\":\"@daily\",\"zone\":\"Mars/Olympus\"}", "no time zone `Mars/Olympus`"),
        ("{\"every_ms\":0}", "no schedule"),
        ("{\"every_ms\":18446744073709551615}", "no schedule"),
        ("{\"cron\":\"@daily\",\"holidays\":[]}", "unknown field `holidays`"),
        ("{\"cron\":\"@daily\",\"except\":[\"whenever\"]}", "`whenever` is no exclusion"),
    ] {
        let error = serde_json::from_str::<Schedule>(stored).expect_err(stored).to_string();
        assert!(error.contains(why), "{stored}: {error}");
    }
}
