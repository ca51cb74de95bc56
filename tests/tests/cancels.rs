//! A cancel from another process.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use evertask::Dispatcher;
use evertask::store::CancelOutcome;
use evertask_tests::laps::gate;
use evertask_tests::process::{Place, Program};
use evertask_tests::rounds;
use evertask_tests::witness::Word;

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_from_another_process_is_heard_within_a_second() {
    let place = Place::new();
    let dispatcher = Dispatcher::open(&format!("sqlite:{}", place.database().display())).await.unwrap();
    let arguments = ["until-signal", "--gate-closed", "--echo", "--slots", "100", "--deadline", "0s"];
    let worker = Program::start(WORKER, &place, &arguments, None);
    worker.hear("serving");
    let mut took = Vec::new();
    for nth in 0..rounds(20) {
        let task = dispatcher.dispatch(gate { nth }).await.unwrap();
        let id = task.id().to_string();
        worker.hear_word(Word::Begin, &id);
        let asked = Instant::now();
        assert_eq!(task.cancel().await.unwrap(), CancelOutcome::Requested);
        worker.hear_word(Word::Told, &id);
        took.push(asked.elapsed());
    }
    took.sort_unstable();
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{} cancels from another process: heard after {median:.1?} (median), {longest:.1?} at most", took.len());
    assert!(longest < Duration::from_secs(1), "it took {longest:?}");
    worker.signal("TERM");
    assert!(worker.wait().success());
    assert_eq!(dispatcher.verify().await.unwrap(), []);
}
