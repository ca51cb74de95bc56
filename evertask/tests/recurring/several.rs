//! Several workers on one store, and those that do not know each other's tasks.

use std::time::Duration;

use evertask::registry::Registry;
use evertask::store::{Firing, NewTask, NewWork, Turn};
use evertask::{DEFAULT_QUEUE, Misfire, TaskId, Timestamp, every};

use crate::{Notes, all_at, at, note, on_each_store, say};

fn tick() -> NewTask {
    NewTask {
        id: TaskId::new(),
        name: "note".into(),
        queue: DEFAULT_QUEUE.into(),
        priority: 0,
        delay: Duration::ZERO,
        at: None,
        payload: br#"{"what":"tick"}"#.to_vec(),
        key: None,
        correlation: None,
        parent: None,
        of: None,
        cancel_routed: false,
        wait: None,
        visits: None,
        was: &[],
        terms: None,
    }
}

on_each_store! {
    async fn two_workers_start_each_slot_once(bench) {
        const SLOTS: u64 = 60;
        let registry = || Registry::default().add::<note>();
        let other = bench.another().await;
        let workers = [
            bench.settings(&bench.dispatcher, registry()).start().await.unwrap(),
            bench.settings(&bench.dispatcher, registry()).start().await.unwrap(),
            bench.settings(&other, registry()).start().await.unwrap(),
        ];
        let caught_up = every("1m").misfire(Misfire::CatchUp { most: 1_000 });
        bench.dispatcher.schedule("one", every("1m"), say("one")).await.unwrap();
        other.schedule("two", caught_up, say("two")).await.unwrap();
        let begin = bench.now().as_millis();
        for minute in 1..=SLOTS {
            // The last ones are caught up in one jump.
            if minute <= SLOTS / 2 || minute == SLOTS {
                bench.clock.set(Timestamp::from_millis(begin + minute.cast_signed() * 60_000));
                bench.done(&["one", "two"]).await;
            }
        }
        let all: Vec<_> = (1..=SLOTS.cast_signed()).map(|minute| Timestamp::from_millis(begin + minute * 60_000)).collect();
        assert_eq!(bench.slots("two"), all);
        assert_eq!(bench.record("two").await.fired, SLOTS);
        // Of those that it jumped over, one was on time: the rest is skipped, by whoever turned it.
        let one = bench.record("one").await;
        assert_eq!((bench.slots("one").len(), one.fired, one.skipped), (32, 32, 28));
        for worker in workers {
            worker.shutdown().await;
        }
    }

    async fn a_turn_that_comes_too_late_starts_nothing(bench) {
        bench.dispatcher.schedule("s", every("1h"), say("tick")).await.unwrap();
        bench.clock.set(at("2026-01-01T01:00Z"));
        // What a worker that stood still meanwhile, or died and was written for, would do.
        let (due, _) = bench.dispatcher.store().due_schedules().await.unwrap();
        let record = due.into_iter().next().unwrap();
        let worker = bench.worker().await;
        bench.done(&["s"]).await;
        let fire = vec![Firing { slot: at("2026-01-01T01:00Z"), work: NewWork::Task(tick()) }];
        let late = Turn { id: record.id, revision: record.revision, fire: fire.clone(), skipped: 3, next: None };
        assert_eq!(bench.dispatcher.store().turn_schedule(late).await.unwrap(), []);
        let record = bench.record("s").await;
        assert_eq!((record.fired, record.skipped, record.next), (1, 0, Some(at("2026-01-01T02:00Z"))));
        // Even one that knows the revision, but not that the slot was started.
        let again = Turn { id: record.id, revision: record.revision, fire, skipped: 0, next: record.next };
        assert_eq!(bench.dispatcher.store().turn_schedule(again).await.unwrap(), []);
        bench.done(&["s"]).await;
        assert_eq!((bench.times("tick"), bench.tasks().await.len()), (1, 1));
        worker.shutdown().await;
    }

    async fn one_whose_task_nobody_knows_waits_for_somebody_who_does(bench) {
        bench.dispatcher.schedule("notes", every("1h"), Notes("run".to_owned())).await.unwrap();
        bench.dispatcher.schedule("tick", every("1h"), say("tick")).await.unwrap();
        let worker = bench.worker_of(Registry::default().add::<note>()).await;
        bench.to("2026-01-01T03:10Z", &["tick"]).await;
        let record = bench.record("notes").await;
        assert_eq!((record.fired, record.skipped, record.next), (0, 0, Some(at("2026-01-01T01:00Z"))));
        let other = bench.worker().await;
        bench.done(&["notes", "tick"]).await;
        assert_eq!(bench.slots("run"), all_at(["2026-01-01T03:00Z"]), "by its policy");
        worker.shutdown().await;
        other.shutdown().await;
    }

    async fn one_that_cannot_be_read_stops_no_other(bench) {
        bench.dispatcher.schedule("a", every("1h"), say("a")).await.unwrap();
        bench.dispatcher.schedule("b", every("1h"), say("b")).await.unwrap();
        let record = bench.record("a").await;
        let broken = |template: &[u8], spec: &[u8]| evertask::store::NewSchedule {
            id: record.id.clone(),
            name: record.name.clone(),
            spec: spec.to_vec(),
            template: template.to_vec(),
            next: record.next,
        };
        for new in [
            broken(br#"{"payload":{"what":7}}"#, &record.spec),
            broken(b"{}", &record.spec),
            broken(&record.template, br#"{"cron":"0 0 * * *","except_holidays":true}"#),
        ] {
            bench.dispatcher.store().keep_schedules(vec![new]).await.unwrap();
            let worker = bench.worker().await;
            bench.clock.advance(Duration::from_hours(1));
            bench.done(&["b"]).await;
            assert_eq!((bench.times("a"), bench.record("a").await.fired), (0, 0));
            worker.shutdown().await;
        }
        assert_eq!(bench.times("b"), 3);
        // Said anew, it goes on.
        bench.dispatcher.schedule("a", every("1h"), say("a")).await.unwrap();
        let worker = bench.worker().await;
        bench.clock.advance(Duration::from_hours(1));
        bench.done(&["a", "b"]).await;
        assert_eq!(bench.times("a"), 1);
        worker.shutdown().await;
    }
}
