//! Shutdowns: what runs too long is handed back, nobody is blamed, others go on at once. Rolling restarts, and
//! workers that come and go.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use evertask::store::{TaskFilter, TaskState};
use evertask::{Dispatcher, Queue};
use evertask_tests::check::integrity;
use evertask_tests::faults::{work, work_blocking};
use evertask_tests::full;
use evertask_tests::laps::Track;
use evertask_tests::process::{Place, Program};
use evertask_tests::record::idle;
use evertask_tests::witness::{self, Witness, Word};

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");
const HANDLERS: usize = 20;
/// The longest that others may take to go on with what was handed back.
const PICK_UP: Duration = Duration::from_millis(1_500);

async fn open(place: &Place) -> Dispatcher {
    Dispatcher::open(&format!("sqlite:{}", place.database().display())).await.unwrap()
}

fn serve(place: &Place, deadline: &str) -> Program {
    let arguments = ["until-signal", "--echo", "--slots", "20", "--deadline", deadline];
    let program = Program::start(WORKER, place, &arguments, None);
    program.hear("serving");
    program
}

async fn assert_sound(dispatcher: Dispatcher, place: &Place) {
    assert_eq!(dispatcher.verify().await.unwrap(), []);
    dispatcher.close().await.unwrap();
    assert_eq!(integrity(&place.database()), Vec::<String>::new());
}

/// SIGTERM to a worker with 20 handlers that take 10 s, one that waits for work beside it.
async fn hand_over<D: evertask::IntoDispatch>(work: impl Fn() -> D, name: &str) {
    let place = Place::new();
    let dispatcher = open(&place).await;
    let first = serve(&place, "2s");
    dispatcher.dispatch_all((0..HANDLERS).map(|_| work())).await.unwrap();
    for _ in 0..HANDLERS {
        first.hear_word(Word::Begin, "");
    }
    let second = serve(&place, "0s");
    let signalled = Instant::now();
    first.signal("TERM");
    let (status, report) = first.wait_and_hear("drained");
    let exited = signalled.elapsed();
    for _ in 0..HANDLERS {
        second.hear_word(Word::Begin, "");
    }
    let picked_up = signalled.elapsed().saturating_sub(exited);
    println!(
        "{name}: exited {exited:.2?} after SIGTERM ({report:?}); all {HANDLERS} run elsewhere {picked_up:.2?} after that"
    );
    assert_eq!((status.code(), report.as_slice()), (Some(0), &["drained 0 handed back 20".to_owned()][..]));
    assert!(exited >= Duration::from_secs(2) && exited <= Duration::from_secs(3), "it took {exited:?}");
    assert!(picked_up <= PICK_UP, "it took {picked_up:?}");
    let tasks = dispatcher.list(TaskFilter::new()).await.unwrap();
    assert_eq!(tasks.len(), HANDLERS);
    for task in tasks {
        assert_eq!((task.state, task.failures, task.crashes, task.interrupts), (TaskState::Running, 0, 0, 1));
    }
    second.signal("TERM");
    assert!(second.wait().success());
    assert_sound(dispatcher, &place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_hands_back_what_takes_too_long() {
    hand_over(|| work { millis: 10_000 }, "async").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_hands_back_what_blocks_its_threads() {
    hand_over(|| work_blocking { millis: 10_000 }, "blocking").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_and_blames_nothing() {
    const RESTARTS: usize = 10;
    const EACH: usize = 60;
    let place = Place::new();
    let dispatcher = open(&place).await;
    let mut workers = vec![serve(&place, "0s"), serve(&place, "0s")];
    let begun = Instant::now();
    let mut handed_back = 0;
    for _ in 0..RESTARTS {
        dispatcher.dispatch_all((0..EACH).map(|nth| work { millis: 20 + nth as u64 * 5 })).await.unwrap();
        // The new one comes before the old one goes.
        workers.push(serve(&place, "0s"));
        let old = workers.remove(0);
        old.hear_word(Word::Begin, "");
        old.signal("TERM");
        let (status, report) = old.wait_and_hear("drained");
        assert!(status.success(), "{status}");
        handed_back += report[0].rsplit(' ').next().unwrap().parse::<usize>().unwrap();
    }
    idle(&dispatcher).await.unwrap();
    let took = begun.elapsed();
    for worker in workers {
        worker.signal("TERM");
        assert!(worker.wait().success());
    }
    let tasks = dispatcher.list(TaskFilter::new().limit(10_000)).await.unwrap();
    assert_eq!(tasks.len(), RESTARTS * EACH);
    let interrupts: u32 = tasks.iter().map(|task| task.interrupts).sum();
    println!("{RESTARTS} restarts in {took:.1?}: {} tasks, {handed_back} handed back", tasks.len());
    assert!(handed_back > 0, "nothing was handed back, which proves nothing");
    assert_eq!(interrupts as usize, handed_back);
    for task in &tasks {
        assert_eq!((task.state, task.failures, task.crashes), (TaskState::Succeeded, 0, 0));
    }
    // Who was handed back began once more, if it had begun; nobody else did.
    let begun = witness::read(&place.witness()).iter().filter(|line| line.word == Word::Begin).count();
    assert!((tasks.len()..=tasks.len() + handed_back).contains(&begun), "{begun} began");
    assert_sound(dispatcher, &place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_come_and_go_lose_nothing() {
    // All at once, and each many times.
    let (side_by_side, times) = if full() { (10, 50) } else { (5, 10) };
    let place = Place::new();
    let dispatcher = open(&place).await;
    let witness = Witness::open(&place.witness(), false).unwrap();
    let track = Arc::new(Track { witness, dispatcher: dispatcher.clone(), gate_is_open: true });
    let begun = Instant::now();
    let workers = (0..side_by_side).map(|nth| {
        let (dispatcher, track) = (dispatcher.clone(), track.clone());
        tokio::spawn(async move {
            let mut handed_back = 0;
            for time in 0..times {
                let worker = dispatcher.worker().data_dyn(track.clone());
                let worker = worker.queue(evertask::DEFAULT_QUEUE, Queue::new().concurrency(4)).start().await.unwrap();
                let millis = (nth * 7 + time) % 5;
                dispatcher.dispatch(work { millis }).await.unwrap();
                let deadline = if time % 2 == 0 { Duration::ZERO } else { Duration::from_millis(1) };
                handed_back += worker.shutdown_within(deadline).await.handed_back;
            }
            handed_back
        })
    });
    let mut handed_back = 0;
    for worker in workers.collect::<Vec<_>>() {
        handed_back += worker.await.unwrap();
    }
    let stress = begun.elapsed();
    assert_eq!(dispatcher.store().workers().await.unwrap(), [], "who has stopped is not listed");
    let last = dispatcher.worker().data_dyn(track).start().await.unwrap();
    idle(&dispatcher).await.unwrap();
    last.shutdown().await;
    let tasks = dispatcher.list(TaskFilter::new().limit(10_000)).await.unwrap();
    println!(
        "{side_by_side} workers, started and stopped {times} times each in {stress:.1?}: {} tasks, {handed_back} handed back",
        tasks.len()
    );
    assert!(handed_back > 0, "nothing was handed back, which proves nothing");
    assert_eq!(tasks.len() as u64, side_by_side * times);
    for task in tasks {
        assert_eq!((task.state, task.failures, task.crashes), (TaskState::Succeeded, 0, 0));
    }
    assert_sound(dispatcher, &place).await;
}
