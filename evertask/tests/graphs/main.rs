//! Random workflows, with random outcomes, on workers that die at random: what is stored in the end is what a small
//! interpreter says. `EVERTASK_ROUNDS` says how many, `EVERTASK_SEED` which.
//!
//! Of a run in which one thing fails beside another, it says what may be there, and that what completed was undone;
//! of any other, all that is there. Not among the workflows: cancels from outside and their arms, time limits,
//! snoozes, arms that ask for the run's input, an `each` of runs, forks within a fork's branches, undos that are
//! runs, and loops in what may run beside itself.

#![allow(clippy::unwrap_used)]

mod compare;
mod drive;
mod entries;
mod graph;
mod life;
mod plan;
mod reference;
mod said;
mod tally;

use std::cell::RefCell;
use std::sync::Once;
use std::time::Duration;

use proptest::strategy::Strategy as _;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::graph::Graph;
use crate::tally::Tally;

/// Whoever waits longer waits in vain.
const PATIENCE: Duration = Duration::from_secs(30);

fn of_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Says nothing of the panics that belong to the plans.
fn panic_quietly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let otherwise = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.payload_as_str().is_some_and(|text| text.starts_with(said::PANICS)) {
                otherwise(panic);
            }
        }));
    });
}

fn check(cases: u32, site: fn() -> drive::Site) {
    panic_quietly();
    let seed = of_environment("EVERTASK_SEED").unwrap_or_else(|| u64::from(std::process::id()) ^ now());
    let rounds = of_environment("EVERTASK_ROUNDS").or(of_environment("PROPTEST_CASES"));
    let cases = rounds.and_then(|rounds| u32::try_from(rounds).ok()).unwrap_or(cases);
    println!("{cases} workflows of the seed {seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 300,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let graphs = plan::plan().prop_filter_map("too large", |plan| Some((Graph::of(&plan)?, plan)));
    let tally = RefCell::new(Tally::default());
    let result = runner.run(&(graphs, plan::fate()), |((graph, _), fate)| {
        let told = reference::run(&graph, 0, "in");
        let built = entries::build(&graph);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let driven =
            runtime.block_on(async { tokio::time::timeout(PATIENCE, drive::drive(built, &fate, site())).await });
        let Ok(driven) = driven else { return Err(TestCaseError::fail("it does not end")) };
        let record = driven.map_err(|error| TestCaseError::fail(error.to_string()))?;
        tally.borrow_mut().add(&graph, &record);
        let wrong = compare::compare(&graph, &told, &record);
        if wrong.is_empty() { Ok(()) } else { Err(TestCaseError::fail(wrong.join("\n"))) }
    });
    match result {
        Ok(()) => tally.into_inner().check(cases),
        Err(TestError::Fail(why, ((graph, _), fate))) => {
            panic!("the seed {seed} found:\n{why}\n{fate:#?}\n{}", picture(&graph));
        }
        Err(error) => panic!("the seed {seed}: {error}"),
    }
}

/// A graph, a line for each step.
fn picture(graph: &Graph) -> String {
    let flows = graph.flows.iter().enumerate().map(|(number, flow)| format!("flow{number}: {flow:?}"));
    let steps = graph.steps.iter().enumerate().map(|(number, step)| format!("s{number}: {step:?}"));
    let joins = graph.joins.iter().enumerate().map(|(number, join)| format!("join {number}: {join:?}"));
    flows.chain(steps).chain(joins).collect::<Vec<_>>().join("\n")
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()))
}

#[test]
fn memory_comes_to_what_the_reference_says() {
    check(800, || drive::Site::Memory);
}

#[test]
fn sqlite_comes_to_what_the_reference_says() {
    check(80, || drive::Site::File(tempfile::tempdir().unwrap()));
}

#[cfg(all(feature = "postgres", unix))]
#[test]
fn postgres_comes_to_what_the_reference_says() {
    check(40, || drive::Site::Schema(evertask::testing::postgres::Schema::new().unwrap()));
}
