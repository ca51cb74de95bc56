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

    workflow! {
        /// As it was: a join of a task and of a signal.
        pub(crate) Bake<u32 -> String> {
            mix { on_ok => [heat, egg] }
            heat = warm {}
            wait egg<String> {}
            join (heat, egg) => bake;
        }
    }

    #[task]
    pub(crate) async fn mix(degrees: u32) -> Result<u32, Infallible> {
        Ok(degrees)
    }

    #[task]
    pub(crate) async fn warm(degrees: u32) -> Result<u32, Infallible> {
        Ok(degrees)
    }

    #[task]
    pub(crate) async fn bake(given: (u32, String)) -> Result<String, Infallible> {
        Ok(format!("{given:?}"))
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

    workflow! {
        /// As it is: everything after the first step has a new name.
        pub(crate) Bake<u32 -> String> {
            blend { on_ok => [warm, eggs] }
            #[step(was = "heat")]
            warm {}
            #[step(was = "egg")]
            wait eggs<String> {}
            join (warm, eggs) => oven;
            #[step(was = "bake")]
            oven = cook {}
        }
    }

    #[task]
    pub(crate) async fn blend(degrees: u32) -> Result<u32, Infallible> {
        Ok(degrees)
    }

    #[task]
    pub(crate) async fn warm(degrees: u32) -> Result<u32, Infallible> {
        Ok(degrees)
    }

    #[task]
    pub(crate) async fn cook(given: (u32, String)) -> Result<String, Infallible> {
        Ok(format!("{} and {}", given.0, given.1))
    }
}

#[tokio::test]
async fn what_waits_under_an_earlier_name_goes_on() {
    let dispatcher = memory().await;
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

async fn memory() -> Dispatcher {
    Dispatcher::open("memory:").await.unwrap()
}

/// A signal and the members of a join, and the join itself, have new names while a run waits under the old ones.
async fn a_join_and_its_signal_go_on(dispatcher: Dispatcher) {
    let old = dispatcher.worker().registry(Registry::default().add::<before::Bake>()).start().await.unwrap();
    let run = dispatcher.dispatch(before::Bake(180)).await.unwrap();
    let waits = TaskFilter::new().run(run.id()).state(TaskState::Waiting);
    let heated = TaskFilter::new().run(run.id()).state(TaskState::Succeeded);
    while dispatcher.list(waits.clone()).await.unwrap().is_empty()
        || dispatcher.list(heated.clone()).await.unwrap().len() < 2
    {
        tokio::task::yield_now().await;
    }
    old.shutdown().await;

    let new = dispatcher.worker().registry(Registry::default().add::<after::Bake>()).start().await.unwrap();
    let outcome = dispatcher.signal(run.id(), after::Bake::eggs, &"two".to_owned()).await.unwrap();
    assert_eq!(outcome, SignalOutcome::Delivered);
    assert_eq!(run.wait().await.unwrap(), "180 and two");
    new.shutdown().await;
    assert_eq!(dispatcher.verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_join_and_its_signal_go_on_in_memory() {
    a_join_and_its_signal_go_on(memory().await).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_join_and_its_signal_go_on_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("work.db").display());
    a_join_and_its_signal_go_on(Dispatcher::open(&url).await.unwrap()).await;
}

#[tokio::test]
async fn an_earlier_name_is_nobody_elses() {
    let dispatcher = memory().await;
    let registry = Registry::default().add::<after::dig_deep>().add::<before::dig>();
    let refused = dispatcher.worker().registry(registry).start().await.err().map(|error| error.to_string());
    assert!(refused.as_deref().is_some_and(|report| report.contains("two tasks are named `dig`")), "{refused:?}");
}
