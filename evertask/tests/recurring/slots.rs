//! What becomes of slots: they start once, late ones by the policy, and they end.

use std::time::Duration;

use evertask::registry::Registry;
use evertask::store::TaskState;
use evertask::{DispatchOptions as _, Misfire, Queue, Retry, Timestamp, cron, every, every_day};

use crate::{Notes, all_at, at, note, on_each_store, say};

on_each_store! {
    async fn each_slot_starts_once_for_its_time(bench) {
        bench.dispatcher.schedule("hourly", every("1h"), say("tick")).await.unwrap();
        assert_eq!(bench.record("hourly").await.next, Some(at("2026-01-01T01:00Z")), "its first slot is to come");
        let worker = bench.worker().await;
        bench.done(&["hourly"]).await;
        assert_eq!(bench.slots("tick"), []);
        for time in ["2026-01-01T01:00:00.500Z", "2026-01-01T02:00Z", "2026-01-01T02:59:59.999Z", "2026-01-01T03:00Z"] {
            bench.to(time, &["hourly"]).await;
        }
        let expected = all_at(["2026-01-01T01:00Z", "2026-01-01T02:00Z", "2026-01-01T03:00Z"]);
        assert_eq!(bench.slots("tick"), expected);
        let record = bench.record("hourly").await;
        assert_eq!((record.fired, record.skipped, record.next), (3, 0, Some(at("2026-01-01T04:00Z"))));
        let (slot, last) = record.last.unwrap();
        assert_eq!(slot, expected[2]);
        let tasks = bench.tasks().await;
        assert!(tasks.len() == 3 && tasks.iter().any(|task| last == task.id.into()), "{last}");
        worker.shutdown().await;
    }

    async fn six_fields_and_five_are_the_same_language(bench) {
        bench.dispatcher.schedule("seconds", "*/20 * * * * *", say("six")).await.unwrap();
        bench.dispatcher.schedule("minutes", "* * * * *", say("five")).await.unwrap();
        let worker = bench.worker().await;
        for second in [20, 40, 60] {
            bench.clock.set(Timestamp::from_millis(at("2026-01-01T00:00Z").as_millis() + second * 1_000));
            bench.done(&["minutes", "seconds"]).await;
        }
        assert_eq!((bench.times("six"), bench.slots("five")), (3, all_at(["2026-01-01T00:01Z"])));
        worker.shutdown().await;
    }

    async fn what_a_dispatch_said_holds_for_each_slot(bench) {
        let retry = Retry { times: 7, ..Retry::NONE };
        let said = say("said").queue("notes").priority(-3).correlation_id("family").deadline("2h").timeout("9s").retry(retry);
        bench.dispatcher.schedule("daily", "@daily", said).await.unwrap();
        let notes = bench.settings(&bench.dispatcher, Registry::default().add::<note>());
        let worker = notes.queue("notes", Queue::new().undeclared()).start().await.unwrap();
        bench.to("2026-01-03T00:00:30Z", &["daily"]).await;
        let tasks = bench.tasks().await;
        assert_eq!(tasks.len(), 1, "the last of those that were missed, for all");
        let task = &tasks[0];
        assert_eq!((task.queue.as_str(), task.priority, task.correlation.as_deref()), ("notes", -3, Some("family")));
        assert_eq!((task.run_at, task.deadline), (at("2026-01-03T00:00Z"), Some(at("2026-01-03T02:00Z"))));
        assert_eq!(bench.slots("said"), all_at(["2026-01-03T00:00Z"]));
        worker.shutdown().await;
    }

    async fn a_workflow_recurs_as_a_task_does(bench) {
        bench.dispatcher.schedule("notes", "@hourly", Notes("run".to_owned())).await.unwrap();
        let worker = bench.worker().await;
        bench.to("2026-01-01T01:00Z", &["notes"]).await;
        bench.to("2026-01-01T02:00Z", &["notes"]).await;
        assert_eq!(bench.slots("run"), all_at(["2026-01-01T01:00Z", "2026-01-01T02:00Z"]), "the first step has the slot");
        assert_eq!(bench.times("run again"), 2);
        worker.shutdown().await;
    }

    async fn missed_slots_are_what_the_policy_makes_of_them(bench) {
        let policies = [
            ("skip", Misfire::Skip),
            ("once", Misfire::Once),
            ("none", Misfire::CatchUp { most: 0 }),
            ("two", Misfire::CatchUp { most: 2 }),
            ("all", Misfire::CatchUp { most: 50 }),
        ];
        let ids = policies.map(|(id, _)| id);
        for (id, policy) in policies {
            bench.dispatcher.schedule(id, cron("@hourly").misfire(policy), say(id)).await.unwrap();
        }
        // Nobody is there for six slots and a half.
        bench.clock.set(at("2026-01-01T06:30Z"));
        let worker = bench.worker().await;
        bench.done(&ids).await;
        let hours = |hours: std::ops::RangeInclusive<i64>| -> Vec<Timestamp> {
            hours.map(|hour| Timestamp::from_millis(at("2026-01-01T00:00Z").as_millis() + hour * 3_600_000)).collect()
        };
        for (id, fired, skipped) in
            [("skip", vec![], 6), ("once", hours(6..=6), 5), ("none", vec![], 6), ("two", hours(5..=6), 4), ("all", hours(1..=6), 0)]
        {
            let record = bench.record(id).await;
            assert_eq!(bench.slots(id), fired, "{id}");
            assert_eq!((record.fired, record.skipped), (fired.len() as u64, skipped), "{id}");
            assert_eq!(record.next, Some(at("2026-01-01T07:00Z")), "{id}");
        }
        // One that is on time runs, whatever the policy.
        bench.to("2026-01-01T07:00:59Z", &ids).await;
        for id in ids {
            assert_eq!(bench.slots(id).last(), hours(7..=7).last(), "{id}");
        }
        worker.shutdown().await;
    }

    async fn the_grace_period_says_what_is_late(bench) {
        let hourly = || cron("@hourly").misfire(Misfire::Skip);
        bench.dispatcher.schedule("patient", hourly().grace("2h"), say("patient")).await.unwrap();
        bench.dispatcher.schedule("strict", hourly().grace("0s"), say("strict")).await.unwrap();
        bench.clock.set(at("2026-01-01T04:00:00.001Z"));
        let worker = bench.worker().await;
        bench.done(&["patient", "strict"]).await;
        assert_eq!(bench.slots("patient"), all_at(["2026-01-01T03:00Z", "2026-01-01T04:00Z"]));
        assert_eq!(bench.slots("strict"), []);
        worker.shutdown().await;
    }

    async fn more_than_one_turn_can_start_are_caught_up(bench) {
        let minutely = every("1m").misfire(Misfire::CatchUp { most: 2_500 });
        bench.dispatcher.schedule("minutely", minutely, say("m")).await.unwrap();
        bench.clock.advance(Duration::from_hours(50));
        let worker = bench.worker().await;
        bench.done(&["minutely"]).await;
        let record = bench.record("minutely").await;
        // The last two are on time: the slot of now, and that of a minute ago.
        assert_eq!((record.fired, record.skipped, bench.times("m")), (2_502, 498, 2_502));
        worker.shutdown().await;
    }

    async fn it_ends_after_so_many_runs(bench) {
        let thrice = every("1h").max_runs(3).misfire(Misfire::CatchUp { most: 10 });
        bench.dispatcher.schedule("thrice", thrice, say("run")).await.unwrap();
        let worker = bench.worker().await;
        bench.to("2026-01-01T01:00Z", &["thrice"]).await;
        bench.to("2026-01-01T09:30Z", &["thrice"]).await;
        assert_eq!(bench.slots("run"), all_at(["2026-01-01T01:00Z", "2026-01-01T02:00Z", "2026-01-01T03:00Z"]));
        let record = bench.record("thrice").await;
        assert_eq!((record.fired, record.next), (3, None), "it is over, and stays to be seen");
        bench.to("2026-01-02T00:00Z", &["thrice"]).await;
        assert_eq!(bench.times("run"), 3);
        worker.shutdown().await;
    }

    async fn it_begins_and_ends_at_its_times(bench) {
        let between = every("1h").starting(at("2026-01-01T02:30Z")).until(at("2026-01-01T04:30Z"));
        bench.dispatcher.schedule("between", between, say("run")).await.unwrap();
        let worker = bench.worker().await;
        for hour in 1..9 {
            bench.to(&format!("2026-01-01T0{hour}:30Z"), &["between"]).await;
        }
        assert_eq!(bench.slots("run"), all_at(["2026-01-01T02:30Z", "2026-01-01T03:30Z", "2026-01-01T04:30Z"]));
        assert_eq!(bench.record("between").await.next, None);
        worker.shutdown().await;
    }

    async fn what_is_excluded_is_no_slot(bench) {
        // The 4th is a Sunday.
        let daily = every_day().at("03:00").except("SUN").except("2026-01-06").except("2026-01-08..2026-01-09");
        let office = every("6h").except("22:00..06:00").except("2026-01-02..2026-12-31");
        bench.dispatcher.schedule("daily", daily, say("day")).await.unwrap();
        bench.dispatcher.schedule("office", office, say("six")).await.unwrap();
        let worker = bench.worker().await;
        for day in 1..=10 {
            for hour in ["00", "03", "06", "12", "18"] {
                bench.to(&format!("2026-01-{day:02}T{hour}:00Z"), &["daily", "office"]).await;
            }
        }
        let days = bench.slots("day").iter().map(|slot| slot.as_millis() / 86_400_000 - 20_453).collect::<Vec<_>>();
        assert_eq!(days, [1, 2, 3, 5, 7, 10]);
        assert_eq!(bench.slots("six"), all_at(["2026-01-01T06:00Z", "2026-01-01T12:00Z", "2026-01-01T18:00Z"]));
        assert_eq!((bench.record("daily").await.skipped, bench.record("office").await.skipped), (0, 0));
        worker.shutdown().await;
    }

    async fn a_day_has_one_run_where_clocks_change(bench) {
        bench.clock.set(at("2026-03-28T12:00Z"));
        let nightly = cron("30 2 * * *").in_zone("Europe/Berlin");
        bench.dispatcher.schedule("nightly", nightly, say("night")).await.unwrap();
        let worker = bench.worker().await;
        // At 02:00 the clocks are put forward to 03:00: 02:30 is skipped, and it runs at the first instant after.
        for time in ["2026-03-29T00:59:59Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z", "2026-03-30T00:30Z"] {
            bench.to(time, &["nightly"]).await;
        }
        assert_eq!(bench.slots("night"), all_at(["2026-03-29T01:00Z", "2026-03-30T00:30Z"]));
        // At 03:00 they are put back to 02:00: of the two times that are 02:30, the first counts.
        bench.to("2026-10-24T12:00Z", &["nightly"]).await;
        let before = bench.times("night");
        for time in ["2026-10-25T00:30Z", "2026-10-25T01:30Z", "2026-10-25T12:00Z", "2026-10-26T01:30Z"] {
            bench.to(time, &["nightly"]).await;
        }
        assert_eq!(bench.slots("night")[before..], all_at(["2026-10-25T00:30Z", "2026-10-26T01:30Z"]));
        worker.shutdown().await;
    }

    async fn jitter_puts_a_run_off_and_not_its_slot(bench) {
        let jittered = every("1h").jitter("30m").misfire(Misfire::CatchUp { most: 100 });
        let schedule = jittered.clone().build().unwrap();
        bench.dispatcher.schedule("jittered", jittered, say("run")).await.unwrap();
        let worker = bench.worker().await;
        bench.to("2026-01-01T20:00Z", &["jittered"]).await;
        let tasks = bench.tasks().await;
        assert_eq!(tasks.len(), 20);
        let mut pauses = Vec::new();
        for hour in 1..=20 {
            let slot = Timestamp::from_millis(at("2026-01-01T00:00Z").as_millis() + hour * 3_600_000);
            let due = schedule.run_at("jittered", slot);
            assert!(tasks.iter().any(|task| task.run_at == due), "hour {hour}");
            pauses.push(slot.until(due));
        }
        pauses.sort_unstable();
        pauses.dedup();
        assert!(pauses.len() > 15 && *pauses.last().unwrap() <= Duration::from_mins(30), "{pauses:?}");
        let last = tasks.iter().map(|task| task.run_at).max().unwrap();
        assert!(last > bench.now(), "the last one waits");
        assert!(tasks.iter().all(|task| (task.state == TaskState::Succeeded) == (task.run_at <= bench.now())));
        bench.to("2026-01-01T20:30Z", &["jittered"]).await;
        assert_eq!(bench.slots("run").last(), Some(&at("2026-01-01T20:00Z")));
        worker.shutdown().await;
    }

    async fn a_clock_that_goes_back_starts_nothing_twice(bench) {
        bench.dispatcher.schedule("hourly", every("1h"), say("tick")).await.unwrap();
        let worker = bench.worker().await;
        bench.to("2026-01-01T02:00Z", &["hourly"]).await;
        assert_eq!(bench.times("tick"), 1);
        bench.to("2025-12-31T00:00Z", &["hourly"]).await;
        bench.to("2026-01-01T02:30Z", &["hourly"]).await;
        assert_eq!(bench.times("tick"), 1);
        bench.to("2026-01-01T03:00Z", &["hourly"]).await;
        assert_eq!(bench.slots("tick"), all_at(["2026-01-01T02:00Z", "2026-01-01T03:00Z"]));
        worker.shutdown().await;
    }
}
