//! A program that starts again says its schedules again: they are changed, and never doubled.

use evertask::registry::Registry;
use evertask::{Misfire, cron, every};

use crate::{all_at, at, note, on_each_store, say};

on_each_store! {
    async fn the_same_again_changes_nothing(bench) {
        let hourly = || cron("0 * * * *").in_zone("Europe/Berlin").misfire(Misfire::Skip);
        bench.dispatcher.schedule("hourly", hourly(), say("tick")).await.unwrap();
        let worker = bench.worker().await;
        bench.to("2026-01-01T01:00Z", &["hourly"]).await;
        let record = bench.record("hourly").await;
        for _ in 0..3 {
            bench.another().await.schedule("hourly", hourly(), say("tick")).await.unwrap();
        }
        assert_eq!(bench.record("hourly").await, record);
        bench.to("2026-01-01T02:00Z", &["hourly"]).await;
        assert_eq!((bench.ids().await.len(), bench.times("tick")), (1, 2));
        worker.shutdown().await;
    }

    async fn another_schedule_sets_the_next_slot_and_keeps_what_was_counted(bench) {
        bench.dispatcher.schedule("s", every("1h").max_runs(2), say("old")).await.unwrap();
        let worker = bench.worker().await;
        bench.to("2026-01-01T01:00Z", &["s"]).await;
        let before = bench.record("s").await;
        bench.dispatcher.pause_schedule("s").await.unwrap();
        bench.dispatcher.schedule("s", every("20m").max_runs(3), say("new")).await.unwrap();
        let after = bench.record("s").await;
        assert_eq!((after.next, after.paused), (Some(at("2026-01-01T01:20Z")), true), "it stays held");
        assert_eq!((after.fired, after.last, after.created_at), (1, before.last, before.created_at));
        bench.dispatcher.resume_schedule("s").await.unwrap();
        for time in ["2026-01-01T01:20Z", "2026-01-01T01:40Z", "2026-01-01T02:00Z"] {
            bench.to(time, &["s"]).await;
        }
        assert_eq!(bench.slots("new"), all_at(["2026-01-01T01:20Z", "2026-01-01T01:40Z"]), "three in all");
        // One that is over goes on when it may run more often.
        bench.dispatcher.schedule("s", every("20m").max_runs(4), say("new")).await.unwrap();
        bench.to("2026-01-01T02:20Z", &["s"]).await;
        bench.to("2026-01-01T02:40Z", &["s"]).await;
        assert_eq!((bench.times("new"), bench.record("s").await.next), (3, None));
        worker.shutdown().await;
    }

    async fn another_payload_keeps_the_next_slot(bench) {
        bench.dispatcher.schedule("s", every("1h"), say("old")).await.unwrap();
        bench.clock.set(at("2026-01-01T00:30Z"));
        bench.dispatcher.schedule("s", every("1h"), say("new")).await.unwrap();
        assert_eq!(bench.record("s").await.next, Some(at("2026-01-01T01:00Z")));
        let worker = bench.worker().await;
        bench.to("2026-01-01T01:00Z", &["s"]).await;
        assert_eq!((bench.times("old"), bench.slots("new")), (0, all_at(["2026-01-01T01:00Z"])));
        worker.shutdown().await;
    }

    async fn what_comes_due_during_a_deploy_is_late_and_not_lost(bench) {
        bench.dispatcher.schedule("s", every("1h"), say("tick")).await.unwrap();
        let worker = bench.worker_of(Registry::default().add::<note>()).await;
        bench.to("2026-01-01T01:00Z", &["s"]).await;
        worker.shutdown().await;
        bench.clock.set(at("2026-01-01T02:10Z"));
        bench.dispatcher.schedule("s", every("1h"), say("tick")).await.unwrap();
        let worker = bench.worker_of(Registry::default().add::<note>()).await;
        bench.done(&["s"]).await;
        assert_eq!(bench.slots("tick"), all_at(["2026-01-01T01:00Z", "2026-01-01T02:00Z"]));
        worker.shutdown().await;
    }
}
