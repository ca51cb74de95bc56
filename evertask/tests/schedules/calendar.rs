//! The calendar of schedules against one that looks at every minute, in zones that are hard.
//!
//! `EVERTASK_CALENDAR_YEARS=10` is the whole of it; it says how much it has compared.

use std::time::Instant;

use evertask::{Timestamp, cron};
use jiff::civil::date;
use jiff::tz::{Offset, TimeZone};

use super::oracle::Oracle;

/// Zones, and the year in which something happens that is worth a look.
const ZONES: [(&str, i16); 7] = [
    ("America/New_York", 2026),
    ("Europe/Berlin", 2026),
    // Half an hour.
    ("Australia/Lord_Howe", 2026),
    // At midnight, and not in every year.
    ("Africa/Cairo", 2023),
    // No change, and three quarters of an hour.
    ("Asia/Kathmandu", 2026),
    // A day that never was: 2011-12-30.
    ("Pacific/Apia", 2011),
    // A midnight that never was.
    ("America/Sao_Paulo", 2018),
];

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }

    fn field(&mut self, lowest: u64, highest: u64) -> String {
        let numbers = highest - lowest + 1;
        let one = lowest + self.below(numbers);
        match self.below(6) {
            0 => {
                let last = one + self.below(highest - one + 1);
                format!("{one}-{last}")
            }
            1 => format!("*/{}", 2 + self.below(numbers - 2)),
            2 => format!("{one},{}", lowest + self.below(numbers)),
            3 => format!("{one}/{}", 1 + self.below(numbers - 1)),
            _ => one.to_string(),
        }
    }

    /// Sparse, mostly: what fires each minute says the same 5 million times.
    fn expression(&mut self) -> String {
        let hour = match self.below(6) {
            0 => "*".to_owned(),
            // Where clocks change.
            1 | 2 => self.field(0, 3),
            _ => self.field(0, 23),
        };
        let minute = if self.below(40) == 0 { "*".to_owned() } else { self.field(0, 59) };
        let day = match self.below(8) {
            0 => "L".to_owned(),
            1 => format!("{},L", 1 + self.below(28)),
            2..4 => self.field(1, 31),
            _ => "*".to_owned(),
        };
        let month = if self.below(4) == 0 { self.field(1, 12) } else { "*".to_owned() };
        let weekday = if self.below(3) == 0 { self.field(0, 6) } else { "*".to_owned() };
        format!("{minute} {hour} {day} {month} {weekday}")
    }
}

/// Two hundred expressions, the usual ones first.
fn expressions() -> Vec<String> {
    let usual = [
        "0 0 * * *",
        "30 2 * * *",
        "0 2 * * *",
        "30 1 * * *",
        "0 3 * * *",
        "*/15 * * * *",
        "0 * * * *",
        "30 * * * *",
        "0 */2 * * *",
        "*/10 1-3 * * *",
        "0 9 * * 1-5",
        "0 0 1 * *",
        "0 0 29 2 *",
        "0 12 30 12 *",
        "59 23 L * *",
        "0 0 13 * 5",
        "15 0 * * 0",
        "0 2,3 * * *",
    ];
    let mut dice = Dice(0x5EED);
    let mut expressions: Vec<String> = usual.into_iter().map(str::to_owned).collect();
    while expressions.len() < 200 {
        let text = dice.expression();
        // Some never fire.
        if text.parse::<evertask::Cron>().is_ok() {
            expressions.push(text);
        }
    }
    expressions
}

#[test]
fn two_hundred_expressions_in_seven_zones_are_what_looking_at_every_minute_finds() {
    let years: i16 =
        std::env::var("EVERTASK_CALENDAR_YEARS").map_or(1, |years| years.parse().expect("a number of years"));
    let expressions = expressions();
    let oracle = Oracle::new(&expressions);
    let began = Instant::now();
    let (mut minutes, mut slots) = (0, 0_u64);
    for (name, year) in ZONES {
        let zone = TimeZone::get(name).expect("it is in every database");
        let minute = |year: i16| {
            let new_year = Offset::UTC.to_timestamp(date(year, 1, 1).at(0, 0, 0, 0));
            new_year.expect("a date").as_second() / 60
        };
        let from = minute(year - (years - 1) / 2);
        let to = minute(year - (years - 1) / 2 + years);
        let schedules: Vec<_> =
            expressions.iter().map(|text| cron(text).in_zone(name).build().expect("it fires")).collect();
        let after = Timestamp::from_millis(from * 60_000 - 1);
        let mut found: Vec<_> = schedules.iter().map(|schedule| schedule.slots_after(after)).collect();
        let mut counts = vec![0_u64; found.len()];
        oracle.each(&zone, from, to, |minute, fires| {
            for (word, bits) in fires.into_iter().enumerate() {
                let mut bits = bits;
                while bits != 0 {
                    let number = word * 64 + bits.trailing_zeros() as usize;
                    let slot = found[number].next();
                    let expected = Timestamp::from_millis(minute * 60_000);
                    if slot != Some(expected) {
                        let wall = |slot| schedules[number].wall_clock(slot);
                        let (slot, expected) = (slot.map(wall), wall(expected));
                        panic!("`{}` in {name}: {slot:?}, not {expected}", expressions[number]);
                    }
                    counts[number] += 1;
                    bits &= bits - 1;
                }
            }
        });
        for (number, mut found) in found.into_iter().enumerate() {
            let next = found.next().map_or(i64::MAX, Timestamp::as_millis);
            assert!(next >= to * 60_000, "`{}` in {name}: {next} is one too many", expressions[number]);
            slots += counts[number];
        }
        minutes += to - from;
    }
    let pairs = expressions.len() * ZONES.len();
    println!("{pairs} calendars of {years} years: {minutes} minutes, {slots} slots, in {:?}", began.elapsed());
    assert!(slots > 100_000, "only {slots} slots");
}
