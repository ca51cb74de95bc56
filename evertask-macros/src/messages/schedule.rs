//! What is said of schedules.

use super::{did_you_mean, listed};

pub(crate) const SCHEDULE_FIRST: &str = "`schedule` is a cron expression, as in `schedule = \"0 3 * * *\"`, or what gives a schedule, as in `schedule = every(\"15m\")`\nits options are behind it: `schedule(\"0 3 * * *\", zone = \"Europe/Berlin\")`";

pub(crate) fn interval_as_cron(text: &str) -> String {
    format!("`{text}` is no cron expression; for an interval, write `every(\"{text}\")`, with `use evertask::every;`")
}

pub(crate) fn unknown_schedule_option(word: &str, known: &[&str]) -> String {
    let hint = did_you_mean(word, known.iter().copied())
        .unwrap_or_else(|| format!("\nbehind the cron expression comes {}", listed(known)));
    format!("unknown option `{word}` of `schedule`{hint}")
}

pub(crate) fn said_of_the_schedule(word: &str) -> String {
    let said = match word {
        "zone" => "in_zone",
        other => other,
    };
    format!("an expression says `{word}` of itself, as in `every_day().{said}(..)`; only `payload` is beside it")
}

pub(crate) fn unknown_zone<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let place = |zone: &&&str| zone.rsplit('/').next().is_some_and(|place| place.eq_ignore_ascii_case(name));
    let hint = match known.iter().filter(|zone| zone.contains('/')).find(place) {
        Some(zone) => format!("; did you mean `{zone}`?"),
        None => {
            did_you_mean(name, known).unwrap_or_else(|| "\na zone has an IANA name, as in \"Europe/Berlin\"".to_owned())
        }
    };
    format!("there is no time zone `{name}`{hint}")
}

pub(crate) const MISFIRE: &str =
    "`misfire` says what becomes of slots that nobody was there to start: `skip`, `once` or `catch_up(5)`";

pub(crate) fn schedule_without_payload(name: &str, takes: &[String]) -> String {
    let takes: Vec<&str> = takes.iter().map(String::as_str).collect();
    format!(
        "`{name}` takes {}, and its schedule gives it nothing\nsay what each run is given: `schedule(\"..\", payload = ..)`",
        listed(&takes),
    )
}
