//! What keeps a worker from starting: one complete report.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;

use evertask::__private::{Location, NoArms, TaskEntry};
use evertask::prelude::*;
use evertask::registry::Registry;
use evertask::{Dispatcher, Queue, StartError, TaskOptions};
use serde::{Deserialize, Serialize};

struct Lamp;
struct Pump;

#[task]
async fn light(lamp: &Lamp) -> Result<(), Infallible> {
    let _ = lamp;
    Ok(())
}

#[task(queue = "wells")]
async fn pump(pump: &Pump, lamp: &Lamp) -> Result<(), Infallible> {
    let _ = (pump, lamp);
    Ok(())
}

macro_rules! named_twice {
    ($name:ident, $line:literal) => {
        #[derive(Serialize, Deserialize)]
        struct $name;

        impl Handler for $name {
            type Output = ();
            type Error = Infallible;

            async fn run(self, _: &Context) -> Result<(), Infallible> {
                Ok(())
            }
        }

        impl Task for $name {
            const NAME: &'static str = "twice";

            fn entry() -> &'static TaskEntry {
                static ENTRY: TaskEntry = TaskEntry::of::<$name, NoArms>(
                    Location { file: "garden.rs", line: $line },
                    TaskOptions::DEFAULT,
                    Vec::new,
                    &[],
                );
                &ENTRY
            }
        }
    };
}

named_twice!(First, 7);
named_twice!(Second, 70);

#[tokio::test]
async fn a_worker_refuses_to_start_with_one_complete_report() {
    let dispatcher = Dispatcher::open("memory:").await.unwrap();
    let registry = Registry::default().add::<light>().add::<pump>().add::<First>().add::<Second>();
    let refused = dispatcher.worker().registry(registry).queue("well", Queue::new()).lease("soon").start().await;
    let Err(StartError::Refused(problems)) = refused else { panic!("it starts") };
    assert_eq!(problems.len(), 5, "{problems:?}");
    let report = StartError::Refused(problems).to_string();
    for part in [
        "two tasks are named `twice`: at garden.rs:7 and at garden.rs:70",
        "Lamp` was given with `.data(..)`; needed by `light`, `pump`",
        "Pump` was given with `.data(..)`; needed by `pump`",
        "no task is declared for the queue `well`",
        "`soon` is not a duration",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
}

#[tokio::test]
async fn an_empty_registry_says_what_to_do() {
    let dispatcher = Dispatcher::open("memory:").await.unwrap();
    let refused = dispatcher.worker().registry(Registry::default()).start().await.unwrap_err();
    assert!(refused.to_string().contains("use jobs as _;"), "{refused}");
}

#[tokio::test]
async fn an_unknown_url_names_the_stores() {
    let error = Dispatcher::open("mysql://localhost").await.unwrap_err();
    assert!(error.to_string().contains("sqlite:orders.db"), "{error}");
}
