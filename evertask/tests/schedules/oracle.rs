//! A calendar that looks at every minute. It knows nothing of fields that jump: the text of each expression is read here
//! once more, each minute of a zone is compared with all expressions at once, one bit for each.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Some expressions, a bit for each.
pub(crate) type Set = [u64; 4];

/// Up to 256 expressions, by what they let through.
pub(crate) struct Oracle {
    minutes: Vec<Set>,
    hours: Vec<Set>,
    days: Vec<Set>,
    last_day: Set,
    months: Vec<Set>,
    weekdays: Vec<Set>,
    /// Those of which the day of the month or the weekday is enough.
    either: Set,
    /// Those that follow elapsed time, because they fire in every hour.
    elapsed: Set,
}

/// What a wall clock says, to the minute.
#[derive(Clone, Copy)]
struct Wall {
    /// Minutes that a clock that never changed would have counted.
    count: i64,
    minute: usize,
    hour: usize,
}

impl Oracle {
    /// Of these expressions, which have five fields.
    pub(crate) fn new(expressions: &[String]) -> Self {
        let mut oracle = Self {
            minutes: vec![[0; 4]; 60],
            hours: vec![[0; 4]; 24],
            days: vec![[0; 4]; 32],
            last_day: [0; 4],
            months: vec![[0; 4]; 13],
            weekdays: vec![[0; 4]; 7],
            either: [0; 4],
            elapsed: [0; 4],
        };
        for (number, text) in expressions.iter().enumerate() {
            let fields: Vec<&str> = text.split(' ').collect();
            let [minute, hour, day, month, weekday] = fields[..] else { panic!("{text}") };
            let hours = numbers(hour, 0, 23);
            let days = numbers(day.trim_end_matches(",L").trim_matches('L'), 1, 31);
            let last = day.ends_with('L');
            let weekdays: Vec<usize> = numbers(weekday, 0, 6).into_iter().map(|number| number % 7).collect();
            let every_weekday = (0..7).all(|weekday| weekdays.contains(&weekday));
            put(&mut oracle.elapsed, number, hours.len() == 24);
            put(&mut oracle.either, number, days.len() < 31 && !every_weekday);
            put(&mut oracle.last_day, number, last);
            spread(&mut oracle.minutes, number, &numbers(minute, 0, 59));
            spread(&mut oracle.hours, number, &hours);
            spread(&mut oracle.days, number, &days);
            spread(&mut oracle.months, number, &numbers(month, 1, 12));
            spread(&mut oracle.weekdays, number, &weekdays);
        }
        oracle
    }

    /// Calls for each minute from one until before another, both counted since 1970, with the expressions that fire
    /// then.
    pub(crate) fn each(&self, zone: &TimeZone, from: i64, to: i64, mut fire: impl FnMut(i64, Set)) {
        // Two days before, so that the clocks that were changed then are known.
        let (mut expected, mut today) = (None, None);
        for minute in from - 2 * 1_440..to {
            let wall = wall(zone, minute);
            // The wall clock's next minute, if it has never gone back.
            let reached = *expected.get_or_insert(wall.count);
            let day = wall.count.div_euclid(1_440);
            let of_day = match today {
                Some((known, set)) if known == day => set,
                _ => self.on(day),
            };
            today = Some((day, of_day));
            let now = and(of_day, self.time(wall));
            let mut fires = and(now, self.elapsed);
            if wall.count >= reached {
                let skipped = (reached..wall.count).fold([0; 4], |set, count| {
                    let time = Wall {
                        count,
                        minute: place(count.rem_euclid(60)),
                        hour: place(count.div_euclid(60).rem_euclid(24)),
                    };
                    or(set, and(self.on(count.div_euclid(1_440)), self.time(time)))
                });
                fires = or(fires, and_not(or(now, skipped), self.elapsed));
                expected = Some(wall.count + 1);
            }
            if minute >= from && fires != [0; 4] {
                fire(minute, fires);
            }
        }
    }

    fn time(&self, wall: Wall) -> Set {
        and(self.minutes[wall.minute], self.hours[wall.hour])
    }

    /// The expressions that fire on this day, counted since 1970.
    fn on(&self, day: i64) -> Set {
        let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(day));
        let of_month = usize::from(date.day().unsigned_abs());
        let mut by_day = self.days[of_month];
        if date.tomorrow().is_ok_and(|tomorrow| tomorrow.month() != date.month()) {
            by_day = or(by_day, self.last_day);
        }
        let weekday = usize::from(date.weekday().to_sunday_zero_offset().unsigned_abs());
        let by_weekday = self.weekdays[weekday];
        let either = and(or(by_day, by_weekday), self.either);
        let both = and_not(and(by_day, by_weekday), self.either);
        and(or(either, both), self.months[usize::from(date.month().unsigned_abs())])
    }
}

fn wall(zone: &TimeZone, minute: i64) -> Wall {
    let time = Timestamp::from_second(minute * 60).expect("a time within the years that can be said");
    let count = minute + i64::from(zone.to_offset(time).seconds()) / 60;
    Wall { count, minute: place(count.rem_euclid(60)), hour: place(count.div_euclid(60).rem_euclid(24)) }
}

fn place(number: i64) -> usize {
    usize::try_from(number).expect("it is not negative")
}

/// `*`, numbers, ranges and steps, all of them right.
fn numbers(field: &str, lowest: usize, highest: usize) -> Vec<usize> {
    let mut found = Vec::new();
    for item in field.split(',').filter(|item| !item.is_empty()) {
        let (range, step) =
            item.split_once('/').map_or((item, 1), |(range, step)| (range, step.parse().expect("a step")));
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (first.parse().expect("a number"), last.parse().expect("a number")),
            None if range == "*" => (lowest, highest),
            None if item.contains('/') => (range.parse().expect("a number"), highest),
            None => (range.parse().expect("a number"), range.parse().expect("a number")),
        };
        found.extend((first..=last).step_by(step));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn put(set: &mut Set, number: usize, is_in: bool) {
    set[number / 64] |= u64::from(is_in) << (number % 64);
}

fn spread(sets: &mut [Set], number: usize, at: &[usize]) {
    for place in at {
        put(&mut sets[*place], number, true);
    }
}

fn and(one: Set, other: Set) -> Set {
    [one[0] & other[0], one[1] & other[1], one[2] & other[2], one[3] & other[3]]
}

fn or(one: Set, other: Set) -> Set {
    [one[0] | other[0], one[1] | other[1], one[2] | other[2], one[3] | other[3]]
}

fn and_not(one: Set, other: Set) -> Set {
    [one[0] & !other[0], one[1] & !other[1], one[2] & !other[2], one[3] & !other[3]]
}
