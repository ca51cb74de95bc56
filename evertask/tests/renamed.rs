//! A program whose tasks, steps and workflows have new names finishes what the one before it began.

#![allow(clippy::unwrap_used)]

use evertask::Dispatcher;
use evertask::registry::Registry;
use evertask::store::{SignalOutcome, TaskFilter, TaskState};

mod before {
    use std::convert::Infallible;

    use evertask::prelude::*;
    use evertask::workflow;

    #[task]
    pub(crate) async fn dig(depth: u32) -> Result<u32, Infallible> {
        Ok(depth * 2)
    }

    #[task]
    pub(crate) async fn rest() -> Result<(), Infallible> {
        Ok(())
    }

    workflow! {
        /// As it was.
        pub(crate) Plant<u32 -> String> {
            dig { on_ok => weather }
            wait weather<String> { on_ok => end_of_day }
            end_of_day = name_it {}
        }
    }

    #[task]
    pub(crate) async fn name_it(weather: String) -> Result<String, Infallible> {
        Ok(weather)
    }
}

mod after {
    use std::convert::Infallible;

    use evertask::prelude::*;
    use evertask::workflow;

    #[task(was = "dig")]
    pub(crate) async fn dig_deep(depth: u32) -> Result<u32, Infallible> {
        Ok(depth * 3)
    }

    #[task(was("rest", "sleep"))]
    pub(crate) async fn have_a_rest() -> Result<(), Infallible> {
        Ok(())
    }

    workflow! {
        /// As it is.
        #[workflow(was = "Plant", version = 2)]
        pub(crate) PlantTree<u32 -> String> {
            #[step(was = "dig")]
            dig_deep { on_ok => weather }
            wait weather<String> {
                on_ok(weather) with dig_deep(hole) => done(format!("a hole of {hole} on a day of {weather}")),
            }
        }
    }
}

#[tokio::test]
async fn what_waits_under_an_earlier_name_goes_on() {
    let dispatcher = Dispatcher::open("memory:").await.unwrap();
    let old = dispatcher.worker().registry(Registry::default().add::<before::Plant>()).start().await.unwrap();
    let run = dispatcher.dispatch(before::Plant(2)).await.unwrap();
    let dug = TaskFilter::new().run(run.id()).state(TaskState::Waiting);
    while dispatcher.list(dug.clone()).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    old.shutdown().await;
    let waiting = dispatcher.dispatch(before::rest {}).await.unwrap();
    let unstarted = dispatcher.dispatch(before::Plant(1)).await.unwrap();

    let registry = Registry::default().add::<after::PlantTree>().add::<after::have_a_rest>();
    let new = dispatcher.worker().registry(registry).start().await.unwrap();
    waiting.wait().await.unwrap();
    for (run, expected) in [(run, "a hole of 4 on a day of rain"), (unstarted, "a hole of 3 on a day of rain")] {
        let outcome = dispatcher.signal(run.id(), after::PlantTree::weather, &"rain".to_owned()).await.unwrap();
        assert!(matches!(outcome, SignalOutcome::Delivered | SignalOutcome::Kept), "{outcome:?}");
        assert_eq!(run.wait().await.unwrap(), expected);
    }
    new.shutdown().await;
    assert_eq!(dispatcher.verify().await.unwrap(), []);
}

#[tokio::test]
async fn an_earlier_name_is_nobody_elses() {
    let dispatcher = Dispatcher::open("memory:").await.unwrap();
    let registry = Registry::default().add::<after::dig_deep>().add::<before::dig>();
    let refused = dispatcher.worker().registry(registry).start().await.err().map(|error| error.to_string());
    assert!(refused.as_deref().is_some_and(|report| report.contains("two tasks are named `dig`")), "{refused:?}");
}
