//! Signals as a user sends them: SIGTERM, once and twice, and a worker that is stopped past its lease.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use evertask::store::TaskState;
use evertask::{DispatchOptions as _, Dispatcher};
use evertask_tests::check::integrity;
use evertask_tests::laps::{block, gate};
use evertask_tests::process::{Place, Program};
use evertask_tests::witness::{self, Word};

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");
const GATES: u32 = 3;
/// What a shell reports for a program that was interrupted.
const INTERRUPTED: i32 = 130;

async fn open(place: &Place) -> Dispatcher {
    Dispatcher::open(&format!("sqlite:{}", place.database().display())).await.unwrap()
}

fn start(place: &Place, arguments: &[&str]) -> Program {
    let program = Program::start(WORKER, place, &[arguments, &["--echo"]].concat(), None);
    program.hear("serving");
    program
}

/// A worker in the middle of three tasks that do not end by themselves.
async fn at_closed_gates(dispatcher: &Dispatcher, place: &Place, deadline: &str) -> Program {
    dispatcher.dispatch_all((0..GATES).map(|nth| gate { nth })).await.unwrap();
    let worker = start(place, &["until-signal", "--gate-closed", "--deadline", deadline]);
    for _ in 0..GATES {
        worker.hear_word(Word::Begin, "");
    }
    worker
}

/// State, interrupts, failures and crashes of every task.
async fn tasks(dispatcher: &Dispatcher) -> Vec<(TaskState, u32, u32, u32)> {
    let tasks = dispatcher.list(evertask::store::TaskFilter::new()).await.unwrap();
    tasks.iter().map(|task| (task.state, task.interrupts, task.failures, task.crashes)).collect()
}

async fn assert_sound(dispatcher: Dispatcher, place: &Place) {
    assert_eq!(dispatcher.verify().await.unwrap(), []);
    dispatcher.close().await.unwrap();
    assert_eq!(integrity(&place.database()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_hands_back_what_does_not_end_in_time() {
    let place = Place::new();
    let dispatcher = open(&place).await;
    let first = at_closed_gates(&dispatcher, &place, "500ms").await;
    let signalled = Instant::now();
    first.signal("TERM");
    let status = first.wait();
    let took = signalled.elapsed();
    assert_eq!(status.code(), Some(0));
    assert!((500..3_000).contains(&took.as_millis()), "it took {took:?}");
    assert_eq!(tasks(&dispatcher).await, [(TaskState::Ready, 1, 0, 0); GATES as usize]);

    let second = Program::start(WORKER, &place, &["finish"], None);
    assert!(second.finish().success());
    assert_eq!(tasks(&dispatcher).await, [(TaskState::Succeeded, 1, 0, 0); GATES as usize]);
    println!("ended {took:?} after SIGTERM, with a deadline of 500 ms");
    assert_sound(dispatcher, &place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_the_process_at_once() {
    let place = Place::new();
    let dispatcher = open(&place).await;
    let first = at_closed_gates(&dispatcher, &place, "30s").await;
    first.signal("TERM");
    for _ in 0..GATES {
        first.hear_word(Word::Told, "");
    }
    let signalled = Instant::now();
    first.signal("TERM");
    let status = first.wait();
    let took = signalled.elapsed();
    assert_eq!(status.code(), Some(INTERRUPTED));
    assert!(took < Duration::from_secs(2), "it took {took:?}");

    let second = Program::start(WORKER, &place, &["finish"], None);
    assert!(second.finish().success());
    // Nobody handed them back: the worker was found dead.
    assert_eq!(tasks(&dispatcher).await, [(TaskState::Succeeded, 0, 0, 1); GATES as usize]);
    assert_sound(dispatcher, &place).await;
}

/// Stops a process, but not while it holds the lock of the database: then everybody waits until it goes on.
fn stop_between_writes(program: &Program, place: &Place) {
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    conn.busy_timeout(Duration::ZERO).unwrap();
    loop {
        program.signal("STOP");
        if conn.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
            return;
        }
        program.signal("CONT");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_stopped_past_its_lease_overwrites_nobody_and_goes_on() {
    let place = Place::new();
    let dispatcher = open(&place).await;
    let paused = start(&place, &["serve", "--lease", "600ms"]);
    let task = dispatcher.dispatch(block { millis: 1_000 }).await.unwrap();
    let id = task.id().to_string();
    paused.hear_word(Word::Begin, &id);
    stop_between_writes(&paused, &place);

    let other = start(&place, &["serve", "--lease", "600ms"]);
    let taken_over = other.hear_word(Word::Begin, &id);
    assert_eq!(taken_over.process, other.id(), "nobody took over, which proves nothing");
    paused.signal("CONT");
    let late = paused.hear_word(Word::End, &id);
    assert_eq!(task.wait().await.unwrap(), other.id());
    let ends: Vec<_> = witness::read(&place.witness()).into_iter().filter(|line| line.word == Word::End).collect();
    let by: Vec<_> = ends.iter().map(|line| line.process).collect();
    assert_eq!(by, [late.process, other.id()], "the late result was not said while the other one worked");
    assert!(other.finish().success());

    // Alone again, it takes the next task: what it had to say of the last one was refused.
    let next = dispatcher.dispatch(block { millis: 1 }.key("next")).await.unwrap();
    assert_eq!(next.wait().await.unwrap(), paused.id());
    assert!(paused.finish().success());
    let record = dispatcher.get(task.id()).await.unwrap().unwrap();
    assert_eq!((record.state, record.crashes, record.failures, record.fence), (TaskState::Succeeded, 1, 0, 2));
    let output: u32 = serde_json::from_slice(record.output.as_deref().unwrap()).unwrap();
    assert_eq!(output, taken_over.process);
    assert_sound(dispatcher, &place).await;
}
