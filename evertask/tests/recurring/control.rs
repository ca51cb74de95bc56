//! Held, let go, started by hand, forgotten; and what can't be scheduled.

use std::time::SystemTime;

use evertask::registry::Registry;
use evertask::{DispatchError, DispatchOptions as _, Misfire, SchedulingError, WorkId, cron, every};

use crate::{Notes, all_at, at, note, on_each_store, say};

on_each_store! {
    async fn a_held_one_starts_nothing_until_it_is_let_go(bench) {
        let hourly = || cron("@hourly").misfire(Misfire::CatchUp { most: 9 });
        bench.dispatcher.schedule("held", hourly(), say("held")).await.unwrap();
        bench.dispatcher.schedule("open", hourly(), say("open")).await.unwrap();
        let worker = bench.worker().await;
        assert!(bench.dispatcher.pause_schedule("held").await.unwrap());
        assert!(!bench.dispatcher.pause_schedule("held").await.unwrap(), "it is held already");
        let held = bench.record("held").await;
        bench.to("2026-01-01T03:30Z", &["open"]).await;
        assert_eq!((bench.times("open"), bench.times("held")), (3, 0));
        assert_eq!(bench.record("held").await, held);
        assert!(bench.dispatcher.resume_schedule("held").await.unwrap());
        assert!(!bench.dispatcher.resume_schedule("held").await.unwrap(), "it is not held any more");
        assert_eq!(bench.record("held").await.next, Some(at("2026-01-01T04:00Z")), "what it has missed stays missed");
        bench.to("2026-01-01T04:00Z", &["held", "open"]).await;
        assert_eq!(bench.slots("held"), all_at(["2026-01-01T04:00Z"]));
        worker.shutdown().await;
    }

    async fn by_hand_it_starts_now_and_its_slots_stay(bench) {
        let twice = every("1h").max_runs(2);
        bench.dispatcher.schedule("twice", twice, say("run").queue("default").correlation_id("family")).await.unwrap();
        let worker = bench.worker().await;
        bench.clock.set(at("2026-01-01T00:10Z"));
        let WorkId::Task(first) = bench.dispatcher.trigger("twice").await.unwrap() else { panic!("it is a task") };
        let WorkId::Task(second) = bench.dispatcher.trigger("twice").await.unwrap() else { panic!("it is a task") };
        assert_ne!(first, second, "each call starts one");
        bench.done(&["twice"]).await;
        assert_eq!(bench.slots("run"), all_at(["2026-01-01T00:10Z", "2026-01-01T00:10Z"]));
        let task = bench.dispatcher.get(first).await.unwrap().unwrap();
        assert_eq!(task.correlation.as_deref(), Some("family"));
        let record = bench.record("twice").await;
        assert_eq!((record.fired, record.next, record.last), (0, Some(at("2026-01-01T01:00Z")), None));
        // Both of its own runs are left, even in the very millisecond of one.
        bench.to("2026-01-01T01:00Z", &["twice"]).await;
        bench.dispatcher.trigger("twice").await.unwrap();
        bench.to("2026-01-01T02:00Z", &["twice"]).await;
        assert_eq!((bench.times("run"), bench.record("twice").await.next), (5, None));
        bench.dispatcher.trigger("twice").await.unwrap();
        bench.done(&["twice"]).await;
        assert_eq!(bench.times("run"), 6, "one that is over can be started by hand too");
        worker.shutdown().await;
    }

    async fn by_hand_a_held_one_starts_and_stays_held(bench) {
        bench.dispatcher.schedule("notes", "@daily", Notes("run".to_owned())).await.unwrap();
        bench.dispatcher.pause_schedule("notes").await.unwrap();
        let worker = bench.worker().await;
        assert!(matches!(bench.dispatcher.trigger("notes").await.unwrap(), WorkId::Run(_)));
        bench.done(&[]).await;
        assert_eq!((bench.times("run again"), bench.record("notes").await.paused), (1, true));
        worker.shutdown().await;
    }

    async fn a_forgotten_one_leaves_what_it_has_started(bench) {
        bench.dispatcher.schedule("hourly", every("1h"), say("tick")).await.unwrap();
        let worker = bench.worker().await;
        bench.to("2026-01-01T01:00Z", &["hourly"]).await;
        assert!(bench.dispatcher.unschedule("hourly").await.unwrap());
        assert!(!bench.dispatcher.unschedule("hourly").await.unwrap());
        bench.to("2026-01-01T05:00Z", &[]).await;
        assert_eq!((bench.ids().await, bench.tasks().await.len()), (vec![], 1));
        // It is another one that comes back: its slots are its own.
        bench.dispatcher.schedule("hourly", every("1h"), say("tock")).await.unwrap();
        assert_eq!(bench.record("hourly").await.fired, 0);
        bench.to("2026-01-01T06:00Z", &["hourly"]).await;
        assert_eq!(bench.slots("tock"), all_at(["2026-01-01T06:00Z"]));
        worker.shutdown().await;
    }

    async fn what_has_no_meaning_for_a_schedule_is_refused(bench) {
        let dispatcher = bench.dispatcher.clone().max_payload(100);
        let refused = async |id: &str, schedule: &str, work| dispatcher.schedule(id, schedule, work).await.unwrap_err();
        for (work, option) in [
            (say("x").key("k"), "key"),
            (say("x").after("1s"), "after"),
            (say("x").at(SystemTime::UNIX_EPOCH), "at"),
            (say("x").wait_for_room("1s"), "wait_for_room"),
        ] {
            let SchedulingError::DispatchOption { option: found, .. } = refused("id", "@daily", work).await else {
                panic!("`{option}` is taken")
            };
            assert_eq!(found, option);
        }
        for (id, schedule, work, said) in [
            ("id", "0 25 * * *", say("x").priority(0), "the hour `25` is not from 0 to 23"),
            ("", "@daily", say("x").priority(0), "its schedule's id has 0 bytes"),
            ("id", "@daily", say("x").queue(""), "its queue has 0 bytes"),
            ("id", "@daily", say("x").deadline("soon"), "`soon` is not a duration"),
            ("id", "@daily", say(&"x".repeat(100)).priority(0), "it has 111 bytes, and may have 100"),
        ] {
            let error = refused(id, schedule, work).await.to_string();
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(bench.ids().await, Vec::<String>::new(), "nothing of it is kept");
    }

    async fn what_is_not_there_is_said(bench) {
        let dispatcher = &bench.dispatcher;
        assert!(!dispatcher.unschedule("none").await.unwrap() && !dispatcher.pause_schedule("none").await.unwrap());
        for error in [dispatcher.resume_schedule("none").await.err(), dispatcher.trigger("none").await.err()] {
            assert!(matches!(&error, Some(SchedulingError::NotFound { id }) if id == "none"), "{error:?}");
        }
    }

    async fn a_queue_that_is_drained_takes_its_slots_and_none_by_hand(bench) {
        bench.dispatcher.drain_queue("default").await.unwrap();
        bench.dispatcher.schedule("hourly", every("1h"), say("tick")).await.unwrap();
        let full = bench.dispatcher.trigger("hourly").await.unwrap_err();
        assert!(matches!(full, SchedulingError::Dispatch(DispatchError::QueueFull { .. })), "{full:?}");
        let worker = bench.worker_of(Registry::default().add::<note>()).await;
        bench.to("2026-01-01T01:00Z", &["hourly"]).await;
        assert_eq!(bench.times("tick"), 1);
        worker.shutdown().await;
    }
}
