//! Processes that stand still for longer than their lease, and then go on as if nothing had been: at random
//! moments, and in the middle of the transaction that ends an attempt.

#![allow(clippy::unwrap_used)]

use std::thread::sleep;
use std::time::{Duration, Instant};

use evertask::Dispatcher;
use evertask::testing::postgres::Server;
use evertask_tests::check::integrity;
use evertask_tests::faults::{work, work_blocking};
use evertask_tests::process::{Place, Program, until};
use evertask_tests::record::{Record, idle};
use evertask_tests::witness::{self, Word};
use evertask_tests::{dice, full, history, rounds, seed};

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");
const WORKERS: u64 = 4;
const LEASE: Duration = Duration::from_millis(600);
/// 1.7 leases.
const FROZEN: Duration = Duration::from_millis(1_020);
/// How long the server lets a session do nothing in a transaction.
const IDLE: Duration = Duration::from_secs(5);
/// What is dispatched with each freeze: of either kind.
const TASKS: u64 = 24;

fn start(place: &Place, slots: &str) -> Program {
    let program = Program::start(WORKER, place, &["serve", "--lease", "600ms", "--slots", slots, "--echo"], None);
    program.hear("serving");
    program
}

/// Stops a process. In a file's transaction it would stop everybody; that is another test.
fn stop(program: &Program, place: &Place) {
    program.signal("STOP");
    if !place.is_file() {
        return;
    }
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    conn.busy_timeout(Duration::ZERO).unwrap();
    while conn.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err() {
        program.signal("CONT");
        program.signal("STOP");
    }
}

#[test]
fn a_frozen_worker_overwrites_nobody() {
    let (freezes, seeds) = how_often();
    for nth in 0..seeds {
        freeze_again_and_again(&Place::new(), freezes, seed().wrapping_add(nth));
    }
}

#[test]
fn a_frozen_worker_overwrites_nobody_on_a_server() {
    let (freezes, seeds) = how_often();
    for nth in 0..seeds {
        let server = Server::start().unwrap();
        freeze_again_and_again(&Place::on_server(&server.url()), freezes, seed().wrapping_add(nth));
    }
}

/// How many freezes, with how many seeds.
fn how_often() -> (u32, u64) {
    if full() { (25, 3) } else { (rounds(6), 1) }
}

fn freeze_again_and_again(place: &Place, freezes: u32, seed: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dispatcher = runtime.block_on(Dispatcher::open(&place.store())).unwrap();
    runtime.block_on(history::keep(place));
    let mut workers: Vec<_> = (0..WORKERS).map(|_| start(place, "4")).collect();
    let begun = Instant::now();
    for freeze in 0..freezes {
        let throw = |nth| dice(seed, u64::from(freeze) * 1_000 + nth);
        let millis = |nth| 100 + throw(nth) % 401;
        runtime.block_on(async {
            dispatcher.dispatch_all((0..TASKS).map(|nth| work { millis: millis(nth) })).await.unwrap();
            let blocking = (TASKS..2 * TASKS).map(|nth| work_blocking { millis: millis(nth) });
            dispatcher.dispatch_all(blocking).await.unwrap();
        });
        let victim = &workers[usize::try_from(throw(998) % WORKERS).unwrap()];
        let is_busy = || !witness::unfinished(&witness::read(&place.witness()), victim.id()).is_empty();
        until("the process has something to do", is_busy);
        stop(victim, place);
        // The bar's own pauses.
        sleep(FROZEN);
        victim.signal("CONT");
        sleep(Duration::from_millis(100 + throw(999) % 201));
    }
    runtime.block_on(idle(&dispatcher)).unwrap();
    assert!(workers.iter_mut().all(Program::is_alive), "seed {seed}: a process has ended");
    for worker in workers {
        assert!(worker.finish().success());
    }
    let took = begun.elapsed();
    let (record, history) =
        runtime.block_on(async { (Record::read(&dispatcher).await.unwrap(), history::read(place).await) });
    let mut wrong = history::check(&history, &record);
    wrong.extend(runtime.block_on(dispatcher.verify()).unwrap().iter().map(ToString::to_string));
    runtime.block_on(dispatcher.close()).unwrap();
    if place.is_file() {
        wrong.extend(integrity(&place.database()));
    }

    let lines = witness::read(&place.witness());
    let owners = history::owners(&history);
    let (mut zombies, mut late, mut lost) = (0, 0, 0);
    for task in &record.tasks {
        let id = task.id.to_string();
        let output: Option<u32> = task.output.as_deref().and_then(|output| serde_json::from_slice(output).ok());
        // The result is of the process that has the last claim, and of nobody else.
        zombies += u32::from(output.is_none() || output != owners.get(history::digits(&id).as_str()).copied());
        let of_task = |word| lines.iter().filter(|line| line.word == word && line.task == id).count();
        late += of_task(Word::End).saturating_sub(1);
        lost += task.crashes;
        if i64::try_from(of_task(Word::Begin)).unwrap() > task.fence || task.failures > 0 {
            wrong.push(format!("{id}: {} claims, {} failures", task.fence, task.failures));
        }
    }
    println!(
        "seed {seed}: {freezes} freezes of {FROZEN:?} in {:.1} s, lease {LEASE:?}: {} tasks, {lost} claims lost, {late} late results, {zombies} of them taken",
        took.as_secs_f64(),
        record.tasks.len()
    );
    assert_eq!(zombies, 0, "seed {seed}");
    assert!(wrong.is_empty(), "seed {seed}: {}", wrong.join("\n"));
    assert!(lost >= freezes.min(20), "seed {seed}: only {lost} claims were lost, which proves too little");
    assert!(late > 0, "seed {seed}: no result came too late, which proves nothing");
}

/// A worker that stops within the transaction that ends an attempt, and one beside it that has nothing to do.
fn stopped_while_it_ends(place: &Place, runtime: &tokio::runtime::Runtime, point: &str) -> (Dispatcher, Freeze) {
    let dispatcher = runtime.block_on(Dispatcher::open(&place.store())).unwrap();
    let arguments = ["serve", "--lease", "600ms", "--slots", "1", "--echo"];
    let frozen = Program::start_stopping(WORKER, place, &arguments, point);
    frozen.hear("serving");
    let task = runtime.block_on(dispatcher.dispatch(work { millis: 1_500 })).unwrap();
    frozen.hear_word(Word::Begin, &task.id().to_string());
    let other = start(place, "1");
    frozen.wait_stopped();
    (dispatcher, Freeze { frozen, other, task, since: Instant::now() })
}

struct Freeze {
    frozen: Program,
    other: Program,
    task: evertask::Handle<work>,
    since: Instant,
}

#[test]
fn a_worker_frozen_while_it_ends_an_attempt_is_thrown_out_by_the_server() {
    let (server, runtime) = (Server::start().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let place = Place::on_server(&server.url());
    let (dispatcher, freeze) = stopped_while_it_ends(&place, &runtime, "postgres.end.before_commit");
    let Freeze { frozen, other, task, since } = freeze;
    other.hear_word(Word::Begin, &task.id().to_string());
    let rescued = since.elapsed();
    println!("frozen within its completion on PostgreSQL: rescued after {rescued:.2?}");
    frozen.signal("CONT");
    runtime.block_on(async {
        assert_eq!(task.wait().await.unwrap(), other.id());
        assert!(other.finish().success());
        // Alone again, it takes the next task.
        assert_eq!(dispatcher.dispatch(work { millis: 1 }).await.unwrap().wait().await.unwrap(), frozen.id());
        let record = dispatcher.get(task.id()).await.unwrap().unwrap();
        // The other one may have waited for the locks for longer than its own lease, and begun once more.
        assert_eq!((record.fence - i64::from(record.interrupts), record.crashes, record.failures), (2, 1, 0));
        assert!(frozen.finish().success());
        assert_eq!(dispatcher.verify().await.unwrap(), []);
        dispatcher.close().await.unwrap();
    });
    // And what two busy cores need.
    assert!(rescued <= IDLE + LEASE + Duration::from_secs(2), "rescued only after {rescued:?}");
}

#[test]
fn a_worker_frozen_while_it_ends_an_attempt_keeps_the_file_until_it_wakes() {
    let (place, runtime) = (Place::new(), tokio::runtime::Runtime::new().unwrap());
    let (dispatcher, freeze) = stopped_while_it_ends(&place, &runtime, "sqlite.settle.succeeded.before_commit");
    let Freeze { frozen, mut other, task, since } = freeze;
    let waiting = {
        let dispatcher = dispatcher.clone();
        runtime.spawn(async move { dispatcher.dispatch(work { millis: 1 }).await })
    };
    // The bar's own pause.
    sleep(FROZEN);
    assert!(!waiting.is_finished(), "somebody wrote while the file was locked");
    assert!(other.is_alive());
    frozen.signal("CONT");
    let woken = since.elapsed();
    runtime.block_on(async {
        assert_eq!(task.wait().await.unwrap(), frozen.id());
        waiting.await.unwrap().unwrap().wait().await.unwrap();
        let record = dispatcher.get(task.id()).await.unwrap().unwrap();
        assert_eq!((record.fence, record.crashes, record.failures), (1, 0, 0), "nobody could take it over");
        for program in [frozen, other] {
            assert!(program.finish().success());
        }
        assert_eq!(dispatcher.verify().await.unwrap(), []);
        dispatcher.close().await.unwrap();
    });
    println!("frozen within its completion on SQLite for {woken:.2?}: all wait for it, and its result is taken");
    assert_eq!(integrity(&place.database()), Vec::<String>::new());
}
