//! A task that kills every process that runs it, and a supervisor that starts the next one.

#![allow(clippy::unwrap_used)]

use std::time::Instant;

use evertask::store::{TaskFilter, TaskState};
use evertask::{Dispatcher, FailureKind};
use evertask_tests::check::integrity;
use evertask_tests::faults::{poison, work};
use evertask_tests::process::{Place, Program};
use evertask_tests::witness::{self, Word};

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");
const NEIGHBOURS: usize = 1_000;
const MAX_CRASHES: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_kills_its_workers_is_set_aside_and_its_neighbours_succeed() {
    let place = Place::new();
    let dispatcher = Dispatcher::open(&format!("sqlite:{}", place.database().display())).await.unwrap();
    dispatcher.dispatch_all((0..8).map(|_| work { millis: 2 })).await.unwrap();
    let killer = dispatcher.dispatch(poison {}).await.unwrap();
    dispatcher.dispatch_all((8..NEIGHBOURS).map(|_| work { millis: 2 })).await.unwrap();

    let begun = Instant::now();
    let mut dead = Vec::new();
    loop {
        let program = Program::start(WORKER, &place, &["finish", "--slots", "4", "--max-crashes", "5"], None);
        let process = program.id();
        if program.finish().success() {
            break;
        }
        dead.push(process);
        assert!(dead.len() < 4 * MAX_CRASHES, "recovery spins");
    }

    let record = dispatcher.get(killer.id()).await.unwrap().unwrap();
    let failure = record.failure.unwrap();
    assert_eq!((record.state, failure.kind), (TaskState::Failed, FailureKind::Crash));
    assert_eq!(failure.message, "5 workers that ran it died");
    assert_eq!((dead.len(), record.crashes), (MAX_CRASHES, 5));
    // Which workers died with it: one line each, and its end.
    let attempts = dispatcher.attempts(killer.id()).await.unwrap();
    let said: Vec<_> = attempts.iter().map(|attempt| attempt.report.message.clone()).collect();
    let mut expected: Vec<_> = dead.iter().map(|process| format!("its worker died: process {process}")).collect();
    expected.push(failure.message);
    assert_eq!(said, expected);
    let lines = witness::read(&place.witness());
    let deaths = lines.iter().filter(|line| line.word == Word::Begin && line.name == "poison").count();
    assert_eq!(deaths, MAX_CRASHES, "its handler began once for each death, and not again");

    let neighbours = dispatcher.list(TaskFilter::new().name("work").limit(10_000)).await.unwrap();
    assert_eq!(neighbours.len(), NEIGHBOURS);
    let succeeded = neighbours.iter().filter(|task| task.state == TaskState::Succeeded).count();
    let unlucky = neighbours.iter().filter(|task| task.crashes > 0).count();
    let most = neighbours.iter().map(|task| task.crashes).max().unwrap_or(0);
    println!(
        "set aside after {} losses in {:.1} s; {succeeded} of {NEIGHBOURS} neighbours succeeded, {unlucky} of which died with it, at most {most} times",
        dead.len(),
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(succeeded, NEIGHBOURS);
    assert!(neighbours.iter().all(|task| task.failures == 0));
    assert_eq!(dispatcher.verify().await.unwrap(), []);
    dispatcher.close().await.unwrap();
    assert_eq!(integrity(&place.database()), Vec::<String>::new());
}
