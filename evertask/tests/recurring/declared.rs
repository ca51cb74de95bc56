//! Schedules that are declared beside what they start: a worker that starts keeps them, over deploys.

use std::convert::Infallible;

use evertask::registry::Registry;
use evertask::{Dispatcher, StartError, Worker, every, prelude::*};

use crate::{Bench, Seen, all_at, at, note, on_each_store, say};

/// A program, and what became of it with each deploy.
macro_rules! version {
    ($module:ident: $(#[$attribute:meta])* $name:ident says $says:literal) => {
        mod $module {
            use super::*;

            $(#[$attribute])*
            pub(super) async fn $name(seen: &Seen, cx: &Context) -> Result<(), Infallible> {
                seen.0.lock().unwrap().push(($says.to_owned(), cx.occurrence()));
                Ok(())
            }

            pub(super) fn program() -> Registry {
                Registry::default().add::<$name>().add::<note>()
            }
        }
    };
}

version!(first: #[task(schedule = "0 * * * *")] tidy says "first");
version!(faster: #[task(schedule("*/20 * * * *", misfire = catch_up(2)))] tidy says "faster");
version!(without: #[task] tidy says "without");
version!(renamed: #[task(was = "tidy", schedule = "0 * * * *")] sweep says "renamed");
version!(later: #[task(schedule = "0 * * * *")] sweep says "later");
version!(elsewhere: #[task(schedule = "0 * * * *")] other says "other");

impl Bench {
    /// A worker of this program starts.
    async fn deploy(&self, program: Registry) -> Worker {
        self.worker_of(program).await
    }

    /// A worker of this program starts, and ends.
    async fn deploy_once(&self, program: Registry) {
        self.worker_of(program).await.shutdown().await;
    }
}

on_each_store! {
    async fn a_worker_that_starts_keeps_what_is_declared(bench) {
        let worker = bench.deploy(first::program()).await;
        let kept = bench.record("tidy").await;
        assert_eq!((kept.name.as_str(), kept.next), ("tidy", Some(at("2026-01-01T01:00Z"))));
        assert_eq!(kept.schedule().unwrap().to_string(), "0 * * * * in UTC");
        bench.to("2026-01-01T01:00Z", &["tidy"]).await;
        bench.to("2026-01-01T02:00Z", &["tidy"]).await;
        assert_eq!(bench.slots("first"), all_at(["2026-01-01T01:00Z", "2026-01-01T02:00Z"]));
        let kept = bench.record("tidy").await;
        let (one, two) = tokio::join!(bench.deploy(first::program()), bench.deploy(first::program()));
        assert_eq!((bench.record("tidy").await, bench.ids().await), (kept, vec!["tidy".to_owned()]));
        for worker in [worker, one, two] {
            worker.shutdown().await;
        }
    }

    async fn a_deploy_changes_it_and_never_doubles_it(bench) {
        let worker = bench.deploy(first::program()).await;
        bench.to("2026-01-01T01:00Z", &["tidy"]).await;
        bench.dispatcher.pause_schedule("tidy").await.unwrap();
        worker.shutdown().await;
        let worker = bench.deploy(faster::program()).await;
        let kept = bench.record("tidy").await;
        assert_eq!(bench.ids().await, ["tidy"]);
        assert_eq!((kept.fired, kept.paused, kept.next), (1, true, Some(at("2026-01-01T01:20Z"))));
        bench.dispatcher.resume_schedule("tidy").await.unwrap();
        bench.to("2026-01-01T01:20Z", &["tidy"]).await;
        assert_eq!((bench.times("first"), bench.slots("faster")), (1, all_at(["2026-01-01T01:20Z"])));
        worker.shutdown().await;
        // What nobody was there for is caught up by the next program, with the policy that was declared.
        bench.clock.set(at("2026-01-01T03:10Z"));
        let worker = bench.deploy(faster::program()).await;
        bench.done(&["tidy"]).await;
        assert_eq!(bench.slots("faster")[1..], all_at(["2026-01-01T02:40Z", "2026-01-01T03:00Z"]));
        assert_eq!(bench.record("tidy").await.skipped, 3);
        worker.shutdown().await;
    }

    async fn one_that_is_declared_no_more_is_forgotten(bench) {
        bench.deploy_once(first::program()).await;
        bench.dispatcher.schedule("by hand", every("1h"), say("by hand")).await.unwrap();
        // A program that does not know the task has no say.
        bench.deploy_once(elsewhere::program()).await;
        assert_eq!(bench.ids().await, ["by hand", "other", "tidy"]);
        let worker = bench.deploy(without::program()).await;
        assert_eq!(bench.ids().await, ["by hand", "other"], "what was not declared here stays");
        // The old program comes again, while the new one runs: it is forgotten when it is due.
        bench.deploy_once(first::program()).await;
        assert_eq!(bench.ids().await, ["by hand", "other", "tidy"]);
        bench.to("2026-01-01T01:00Z", &["by hand"]).await;
        bench.to("2026-01-01T02:00Z", &["by hand"]).await;
        assert_eq!(bench.ids().await, ["by hand", "other"]);
        assert_eq!((bench.times("by hand"), bench.times("first"), bench.times("without")), (2, 0, 0));
        worker.shutdown().await;
    }

    async fn a_new_name_keeps_it(bench) {
        let worker = bench.deploy(first::program()).await;
        bench.to("2026-01-01T01:00Z", &["tidy"]).await;
        worker.shutdown().await;
        // The slot of 02:00 comes between the two.
        bench.clock.set(at("2026-01-01T02:00:30Z"));
        let worker = bench.deploy(renamed::program()).await;
        bench.done(&["tidy"]).await;
        let kept = bench.record("tidy").await;
        assert_eq!((bench.ids().await, kept.name.as_str(), kept.fired), (vec!["tidy".to_owned()], "sweep", 2));
        worker.shutdown().await;
        // The old name may go: it is found by the new one.
        let worker = bench.deploy(later::program()).await;
        bench.to("2026-01-01T03:00Z", &["tidy"]).await;
        assert_eq!((bench.ids().await, bench.record("tidy").await.fired), (vec!["tidy".to_owned()], 3));
        assert_eq!(bench.slots("renamed"), all_at(["2026-01-01T02:00Z"]));
        assert_eq!(bench.slots("later"), all_at(["2026-01-01T03:00Z"]));
        worker.shutdown().await;
        // Another task of the old name has one of its own.
        bench.deploy_once(later::program().add::<first::tidy>()).await;
        assert_eq!(bench.ids().await, ["tidy", "tidy 2"]);
        assert_eq!(bench.record("tidy 2").await.name, "tidy");
        bench.deploy_once(later::program().add::<first::tidy>()).await;
        assert_eq!(bench.ids().await, ["tidy", "tidy 2"], "and finds it again");
    }

    async fn one_that_was_made_by_hand_is_taken_over_by_its_declaration(bench) {
        bench.dispatcher.schedule("tidy", every("5m"), without::tidy {}).await.unwrap();
        bench.deploy_once(without::program()).await;
        assert_eq!(bench.ids().await, ["tidy"], "one that nobody declared is not forgotten");
        let worker = bench.deploy(first::program()).await;
        bench.to("2026-01-01T01:00Z", &["tidy"]).await;
        assert_eq!((bench.ids().await, bench.slots("first")), (vec!["tidy".to_owned()], all_at(["2026-01-01T01:00Z"])));
        worker.shutdown().await;
    }
}

#[task(schedule = every("soon"))]
async fn sometime() -> Result<(), Infallible> {
    Ok(())
}

#[task(schedule("@daily", payload = days().remove(31)))]
async fn counted(day: String) -> Result<(), Infallible> {
    drop(day);
    Ok(())
}

fn days() -> Vec<String> {
    Vec::new()
}

#[tokio::test]
async fn a_mistake_keeps_the_worker_from_starting() {
    let dispatcher = Dispatcher::open("memory:").await.unwrap();
    let registry = Registry::default().add::<sometime>().add::<counted>().add::<first::tidy>();
    let Err(StartError::Refused(problems)) = dispatcher.worker().registry(registry).start().await else {
        panic!("it starts")
    };
    let report = StartError::Refused(problems).to_string();
    for part in [
        "the schedule of `sometime`, at ",
        "declared.rs:",
        "`soon` is not a duration",
        "the schedule of `counted`",
        "removal index",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
    assert_eq!(dispatcher.schedules().await.unwrap(), [], "nothing is kept");
}
