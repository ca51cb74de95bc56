//! Edges: what flows where, and that it commits with the task.

use std::convert::Infallible;
use std::error::Error;

use evertask::prelude::*;
use evertask::store::{TaskFilter, TaskState};
use evertask::{RunError, workflow};
use serde::{Deserialize, Serialize};

use crate::{on_each_store, worker};

pub(crate) struct Prices(pub(crate) Vec<u32>);

pub(crate) trait Speaker: Send + Sync {
    fn say(&self, word: &str) -> String;
}

pub(crate) struct Loud;

impl Speaker for Loud {
    fn say(&self, word: &str) -> String {
        word.to_uppercase()
    }
}

#[task]
async fn add_prices(count: usize, prices: &Prices) -> Result<u32, Infallible> {
    Ok(prices.0.iter().take(count).sum())
}

#[task]
fn shout(word: String, speaker: &dyn Speaker) -> Result<String, Infallible> {
    Ok(speaker.say(&word))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Parcel {
    Small { grams: u32 },
    Large(u32),
    Lost,
}

#[task]
async fn weigh(grams: u32) -> Result<Parcel, Infallible> {
    Ok(match grams {
        0 => Parcel::Lost,
        1..1_000 => Parcel::Small { grams },
        _ => Parcel::Large(grams),
    })
}

#[task]
async fn stamp(grams: u32, label: String) -> Result<String, Infallible> {
    Ok(format!("{label} {grams} g"))
}

#[task]
async fn tell(text: String, cx: &Context) -> Result<(), Infallible> {
    cx.log(text);
    Ok(())
}

workflow! {
    /// Sends a parcel.
    SendParcel<u32 -> String> {
        weigh {
            on_ok(Parcel::Small { grams }) if grams < 100 => stamp { grams, label: "letter".into() },
            on_ok(Parcel::Small { grams })                => stamp { grams, label: "small".into() },
            on_ok(Parcel::Large(grams), weigh { grams: given }) => [
                stamp { grams, label: "large".into() },
                announce { text: format!("given as {given}") },
            ],
            on_ok(Parcel::Lost) => fail("it is lost"),
        }
        announce = tell { on_ok => end }
    }
}

#[task(on_ok => note_down)]
async fn order_tea(cups: u32, cx: &Context) -> Result<u32, Box<dyn Error + Send + Sync>> {
    cx.dispatch(tell { text: format!("{cups} cups") })?;
    if cups == 13 && cx.attempt() < 2 {
        return Err("13 is not served at once".into());
    }
    Ok(cups)
}

#[task]
async fn note_down(cups: u32) -> Result<u32, Infallible> {
    Ok(cups + 1)
}

#[workflow(start => order_tea, on_ok(_, party) => tell { text: party.name }, on_err(f) => tell { text: f.message })]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct TeaParty {
    name: String,
    cups: u32,
}

impl From<TeaParty> for order_tea {
    fn from(party: TeaParty) -> Self {
        Self { cups: party.cups }
    }
}

on_each_store! {
    async fn borrowed_arguments_come_from_the_worker(dispatcher) {
        let worker = worker(&dispatcher).await;
        let sum = dispatcher.dispatch(add_prices { count: 2 }).await.unwrap();
        let word = dispatcher.dispatch(shout { word: "tea".into() }).await.unwrap();
        assert_eq!(sum.wait().await.unwrap(), 8);
        assert_eq!(word.wait().await.unwrap(), "TEA");
        worker.shutdown().await;
    }

    async fn arms_are_tried_from_top_to_bottom(dispatcher) {
        let worker = worker(&dispatcher).await;
        for (grams, sent) in [(5, "letter 5 g"), (500, "small 500 g"), (5_000, "large 5000 g")] {
            assert_eq!(dispatcher.dispatch(SendParcel(grams)).await.unwrap().wait().await.unwrap(), sent);
        }
        let lost = dispatcher.dispatch(SendParcel(0)).await.unwrap().wait().await;
        let Err(RunError::Failed { report, .. }) = lost else { panic!("{lost:?}") };
        assert_eq!(report.message, "it is lost");
        worker.shutdown().await;
    }

    async fn parallel_branches_all_run_before_the_run_ends(dispatcher) {
        let worker = worker(&dispatcher).await;
        let run = dispatcher.dispatch(SendParcel(5_000)).await.unwrap();
        run.wait().await.unwrap();
        let steps = dispatcher.list(TaskFilter::new().run(run.id()).state(TaskState::Succeeded)).await.unwrap();
        let mut names: Vec<_> = steps.iter().filter_map(|task| task.step.as_deref()).collect();
        names.sort_unstable();
        assert_eq!(names, ["announce", "stamp", "weigh"]);
        let announced = steps.iter().find(|task| task.step.as_deref() == Some("announce")).unwrap();
        assert_eq!(announced.name, "tell");
        assert_eq!(dispatcher.log(announced.id).await.unwrap()[0].text, "given as 5000");
        worker.shutdown().await;
    }

    async fn what_a_handler_dispatches_commits_with_its_success_alone(dispatcher) {
        let worker = worker(&dispatcher).await;
        let tea = dispatcher.dispatch(order_tea { cups: 4 }.correlation_id("four")).await.unwrap();
        tea.wait().await.unwrap();
        let mut followed = dispatcher.list(TaskFilter::new().correlation_id("four")).await.unwrap();
        followed.retain(|task| task.parent == Some(tea.id()));
        let mut names: Vec<_> = followed.iter().map(|task| task.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["note_down", "tell"]);

        // This attempt fails after it has dispatched: nothing of it is there.
        let refused = dispatcher.dispatch(order_tea { cups: 13 }.correlation_id("thirteen")).await.unwrap();
        let error = refused.wait().await.unwrap_err();
        assert!(error.to_string().contains("13 is not served"), "{error}");
        let rest = dispatcher.list(TaskFilter::new().correlation_id("thirteen")).await.unwrap();
        assert_eq!(rest.len(), 1);
        worker.shutdown().await;
    }

    async fn a_payload_struct_starts_a_run_of_the_tasks_own_edges(dispatcher) {
        let worker = worker(&dispatcher).await;
        let party = TeaParty { name: "Sunday".into(), cups: 3 };
        let run = dispatcher.dispatch(party.clone()).await.unwrap();
        assert_eq!(run.wait().await.unwrap(), party);
        let steps = dispatcher.list(TaskFilter::new().run(run.id())).await.unwrap();
        let mut names: Vec<_> = steps.iter().map(|task| task.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["note_down", "order_tea"]);
        worker.shutdown().await;
        // The run's own edges are one more task, which was in the store when the run had ended.
        let ends = dispatcher.list(TaskFilter::new().name("TeaParty")).await.unwrap();
        assert_eq!(ends.len(), 1);
    }
}
