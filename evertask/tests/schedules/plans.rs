//! What is due: misfires, ends, jumps of the clock.

use std::time::Duration;

use evertask::{MOST_AT_ONCE, Misfire, Plan, Schedule, ScheduleBuilder, Timestamp, cron, every, every_day};
use proptest::prelude::*;

use crate::at;

fn of<Kind>(builder: ScheduleBuilder<Kind>) -> Schedule {
    builder.build().unwrap_or_else(|error| panic!("{error}"))
}

fn fired(plan: &Plan) -> Vec<Timestamp> {
    plan.fire.iter().map(|slot| slot.slot).collect()
}

/// 2026-06-01, and so many hours and minutes.
fn june(hour: i64, minute: i64) -> Timestamp {
    Timestamp::from_millis(at("2026-06-01T00:00Z").as_millis() + (hour * 60 + minute) * 60_000)
}

#[test]
fn a_slot_within_the_grace_period_is_on_time() {
    for misfire in [Misfire::Skip, Misfire::Once, Misfire::CatchUp { most: 3 }] {
        let hourly = of(cron("@hourly").misfire(misfire));
        let plan = hourly.plan("id", june(1, 0), june(1, 1), 0);
        assert_eq!((fired(&plan), plan.next, plan.skipped), (vec![june(1, 0)], Some(june(2, 0)), 0), "{misfire:?}");
    }
}

#[test]
fn a_missed_slot_is_what_the_policy_makes_of_it() {
    let missed = |misfire| {
        let plan = of(cron("@hourly").misfire(misfire)).plan("id", june(1, 0), june(6, 30), 0);
        assert_eq!(plan.next, Some(june(7, 0)));
        (fired(&plan), plan.skipped)
    };
    assert_eq!(missed(Misfire::Skip), (vec![], 6));
    assert_eq!(missed(Misfire::Once), (vec![june(6, 0)], 5));
    assert_eq!(missed(Misfire::CatchUp { most: 0 }), (vec![], 6));
    assert_eq!(missed(Misfire::CatchUp { most: 2 }), (vec![june(5, 0), june(6, 0)], 4));
    assert_eq!(missed(Misfire::CatchUp { most: 50 }), ((1..=6).map(|hour| june(hour, 0)).collect(), 0));
}

#[test]
fn a_slot_that_is_on_time_makes_up_for_those_before() {
    let once = of(cron("@hourly")).plan("id", june(1, 0), june(6, 0), 0);
    assert_eq!((fired(&once), once.skipped), (vec![june(6, 0)], 5));
    let grace = of(cron("@hourly").grace("2h")).plan("id", june(1, 0), june(6, 0), 0);
    assert_eq!((fired(&grace), grace.skipped), (vec![june(4, 0), june(5, 0), june(6, 0)], 3));
    let strict = of(cron("@hourly").grace("0s").misfire(Misfire::Skip));
    assert_eq!(fired(&strict.plan("id", june(1, 0), june(6, 0), 0)), [june(6, 0)]);
}

#[test]
fn runs_are_numbered_and_end() {
    let three = of(cron("@hourly").max_runs(3).misfire(Misfire::CatchUp { most: 10 }));
    let plan = three.plan("id", june(1, 0), june(9, 0), 1);
    let numbers: Vec<_> = plan.fire.iter().map(|slot| slot.number).collect();
    assert_eq!((numbers, fired(&plan), plan.next), (vec![2, 3], vec![june(1, 0), june(2, 0)], None));
    assert_eq!(three.plan("id", june(3, 0), june(9, 0), 3), Plan { fire: vec![], next: None, skipped: 0 });
    let until = of(cron("@hourly").until(june(3, 0)));
    let plan = until.plan("id", june(1, 0), june(9, 0), 0);
    assert_eq!((fired(&plan), plan.next, plan.skipped), (vec![june(3, 0)], None, 2));
}

#[test]
fn nothing_is_due_before_its_time() {
    let daily = of(every_day());
    let plan = daily.plan("id", june(24, 0), june(23, 59), 0);
    assert_eq!(plan, Plan { fire: vec![], next: Some(june(24, 0)), skipped: 0 });
}

#[test]
fn a_clock_that_is_put_back_fires_nothing_twice() {
    let hourly = of(cron("@hourly"));
    let first = hourly.plan("id", june(5, 0), june(5, 0), 0);
    let cursor = first.next.expect("it goes on");
    let back = hourly.plan("id", cursor, june(4, 0), 1);
    assert_eq!(back, Plan { fire: vec![], next: Some(cursor), skipped: 0 });
}

#[test]
fn ten_years_of_seconds_are_skipped_at_once() {
    let (from, to) = (at("2026-01-01T00:00Z"), at("2036-01-01T00:00Z"));
    let seconds = u64::try_from((to.as_millis() - from.as_millis()) / 1_000).expect("it is not negative");
    for schedule in [of(cron("* * * * * *").in_zone("Europe/Berlin").grace("0s")), of(every("1s").grace("0s"))] {
        let plan = schedule.plan("id", from, to, 0);
        assert_eq!((fired(&plan), plan.skipped), (vec![to], seconds), "{schedule}");
    }
    let caught = of(every("1s").misfire(Misfire::CatchUp { most: 5_000 }).grace("0s"));
    let (mut cursor, mut ran, mut skipped, mut plans) = (from, 0, 0, 0);
    while cursor <= to {
        let plan = caught.plan("id", cursor, to, ran);
        assert!(plan.fire.len() <= MOST_AT_ONCE);
        assert!(plan.fire.windows(2).all(|pair| pair[1].slot.as_millis() - pair[0].slot.as_millis() == 1_000));
        ran += plan.fire.len() as u64;
        skipped += plan.skipped;
        plans += 1;
        cursor = plan.next.expect("it goes on");
    }
    assert_eq!((ran, skipped, plans), (5_001, seconds - 5_000, 6));
}

#[test]
fn jitter_is_the_same_everywhere_and_different_for_each() {
    let schedule = of(every("1m").jitter("10s"));
    let slots = schedule.upcoming(june(0, 0), 2_000);
    let delays =
        |id: &str| -> Vec<Duration> { slots.iter().map(|slot| slot.until(schedule.run_at(id, *slot))).collect() };
    assert_eq!(delays("one"), delays("one"));
    assert_ne!(delays("one"), delays("two"));
    let (total, most) = (delays("one").iter().sum::<Duration>(), Duration::from_secs(10));
    assert!(delays("one").iter().all(|delay| *delay <= most));
    // Half of the most, on average: a fair one is further off once in a billion times.
    assert!((4.6..5.4).contains(&(total.as_secs_f64() / 2_000.0)), "{total:?}");
    assert!(slots.iter().all(|slot| of(every("1m")).run_at("one", *slot) == *slot));
}

/// All slots from one until before another, by walking.
fn walked(schedule: &Schedule, from: i64, to: i64) -> Vec<i64> {
    let after = Timestamp::from_millis(from - 1);
    schedule.slots_after(after).map(Timestamp::as_millis).take_while(|slot| *slot < to).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is counted is what walking finds, and every slot is fired or skipped, once.
    #[test]
    fn a_plan_accounts_for_every_slot(
        which in 0..8_usize,
        zone in proptest::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]),
        misfire in proptest::sample::select(vec![Misfire::Skip, Misfire::Once, Misfire::CatchUp { most: 7 }]),
        start in 1_322_000_000..1_326_000_000_i64,
        late in 0..20_000_000_i64,
        grace in 0..200_000_u64,
        exclude in 0..5_usize,
        wide in any::<bool>(),
    ) {
        // Around the end of 2011, when a day was skipped in Apia, or anywhere in half a year.
        let start = (start + if wide { late } else { 0 }) * 1_000 + late % 1_000;
        let text = ["*/20 * * * *", "30 2 * * *", "0 */2 * * *", "*/10 1-3 * * *", "15 9 * * 1-5", "7 23 L * *", "0 0 * * *"];
        let exclusions: &[&str] = [&[] as &[&str], &["SUN", "SAT"], &["22:00..06:00"], &["2011-12-24..2012-01-03", "01:30..02:30"], &["2012-01-01"]][exclude];
        let schedule = if which < 7 {
            let all = cron(text[which]).in_zone(zone).misfire(misfire).grace(Duration::from_millis(grace));
            exclusions.iter().fold(all, |all, exclusion| all.except(*exclusion)).build()
        } else {
            let all = every("37m").in_zone(zone).misfire(misfire).grace(Duration::from_millis(grace));
            exclusions.iter().fold(all, |all, exclusion| all.except(*exclusion)).build()
        };
        // Some are excluded altogether.
        let Ok(schedule) = schedule else { return Ok(()) };
        let now = start + late * 100;
        let due = walked(&schedule, start, now + 1);
        prop_assert!(due.windows(2).all(|pair| pair[0] < pair[1]));
        let plan = schedule.plan("id", Timestamp::from_millis(start), Timestamp::from_millis(now), 0);
        let fired: Vec<i64> = plan.fire.iter().map(|slot| slot.slot.as_millis()).collect();
        let grace = i64::try_from(grace).unwrap_or(0);
        let missed = due.iter().filter(|slot| now - **slot > grace).count();
        let on_time = due.len() - missed;
        let kept = match misfire {
            Misfire::Skip => 0,
            Misfire::Once => usize::from(on_time == 0),
            Misfire::CatchUp { most } => most as usize,
        };
        let expected = &due[missed.saturating_sub(kept)..];
        prop_assert_eq!(&fired[..], &expected[..expected.len().min(MOST_AT_ONCE)]);
        prop_assert_eq!(plan.skipped, (due.len() - expected.len()) as u64);
        if expected.len() <= MOST_AT_ONCE {
            prop_assert_eq!(plan.next, schedule.next_after(Timestamp::from_millis(now)));
        }
    }
}
