//! The server is down for a while: nobody exits, nobody storms it, nobody is taken for dead, and work goes on when it
//! is back.

#![allow(clippy::unwrap_used)]

use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use evertask::testing::postgres::Server;
use evertask::{DispatchError, Dispatcher};
use evertask_tests::door::{Door, rates};
use evertask_tests::faults::work;
use evertask_tests::history::{self, Change};
use evertask_tests::process::{Place, Program, until};
use evertask_tests::record::{Record, idle};
use evertask_tests::witness::{self, Word};
use evertask_tests::{dice, full, rounds, seed};

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");
const WORKERS: usize = 3;
const IN_FLIGHT: u64 = 200;
/// These wait meanwhile.
const MORE: u64 = 40;
/// A process may try to reach the server so often in a second.
const CONNECTS: f64 = 2.0;
/// So soon after the server is back the first task has ended.
const FIRST: Duration = Duration::from_secs(5);
/// A caller hears so soon that the server is away.
const TOLD: Duration = Duration::from_secs(7);

fn serve(place: &Place, lease: &str, slots: &str) -> Program {
    Program::start(WORKER, place, &["serve", "--lease", lease, "--slots", slots], None)
}

fn begun(place: &Place) -> usize {
    witness::read(&place.witness()).iter().filter(|line| line.word == Word::Begin).count()
}

fn millis_now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// What is wrong with work that ended, no worker of which died.
fn check(record: &Record, history: &[Change], place: &Place) -> Vec<String> {
    let mut wrong = history::check(history, record);
    let owners = history::owners(history);
    for task in &record.tasks {
        let output: Option<u32> = task.output.as_deref().and_then(|output| serde_json::from_slice(output).ok());
        let owner = owners.get(history::digits(&task.id.to_string()).as_str()).copied();
        if output.is_none() || output != owner || task.failures > 0 {
            wrong.push(format!("{}: {output:?} of {owner:?}, {} failures", task.id, task.failures));
        }
    }
    let claims: i64 = record.tasks.iter().map(|task| task.fence).sum();
    if begun(place) > usize::try_from(claims).unwrap() {
        wrong.push(format!("{} executions with {claims} claims", begun(place)));
    }
    wrong
}

#[test]
fn a_server_that_is_down_costs_nobody_a_lease() {
    let down = Duration::from_secs(if full() { 60 } else { 8 });
    let (server, runtime) = (Server::start().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let (place, seed) = (Place::on_server(&server.url()), seed());
    let dispatcher = runtime.block_on(Dispatcher::open(&place.store())).unwrap();
    runtime.block_on(history::keep(&place));
    let mut workers: Vec<_> = (0..WORKERS).map(|_| serve(&place, "30s", "70")).collect();
    for worker in &workers {
        worker.hear("serving");
    }
    // Most end while it is down. Where that is for longer than the lease, some would not end in time.
    let millis = |nth: u64| match nth {
        0..10 if down > Duration::from_secs(30) => 28_000,
        0..IN_FLIGHT => 3_000 + dice(seed, nth) % 10_000,
        _ => 20,
    };
    runtime.block_on(async {
        dispatcher.dispatch_all((0..IN_FLIGHT).map(|nth| work { millis: millis(nth) })).await.unwrap();
    });
    until("all are in flight", || begun(&place) >= usize::try_from(IN_FLIGHT).unwrap());
    runtime.block_on(async {
        dispatcher.dispatch_all((IN_FLIGHT..IN_FLIGHT + MORE).map(|nth| work { millis: millis(nth) })).await.unwrap();
    });
    let flying = witness::read(&place.witness()).iter().filter(|line| line.word == Word::End).count();
    server.stop("fast").unwrap();
    let (since, door) = (Instant::now(), Door::of(&server.url()));
    workers.push(serve(&place, "30s", "70"));
    let asked = Instant::now();
    let refused = runtime.block_on(dispatcher.dispatch(work { millis: 1 }));
    let told = asked.elapsed();
    assert!(matches!(&refused, Err(DispatchError::Store(error)) if error.is_transient()), "{refused:?}");
    // The bar's own pause.
    sleep(down.saturating_sub(since.elapsed()));
    let (knocks, was_down) = (door.close(), since.elapsed());
    assert!(workers.iter_mut().all(Program::is_alive), "seed {seed}: a process has ended");
    server.start_again().unwrap();
    let (back, back_since) = (millis_now(), Instant::now());
    workers[WORKERS].hear("serving");
    runtime.block_on(idle(&dispatcher)).unwrap();
    let done = back_since.elapsed();

    let (record, history) =
        runtime.block_on(async { (Record::read(&dispatcher).await.unwrap(), history::read(&place).await) });
    let mut wrong = check(&record, &history, &place);
    wrong.extend(runtime.block_on(dispatcher.verify()).unwrap().iter().map(ToString::to_string));
    runtime.block_on(dispatcher.close()).unwrap();
    let (mut peak, mut mean) = (0, 0.0);
    for worker in &workers {
        let (most, each) = rates(&knocks, worker.id(), was_down);
        assert!(each > 0.0, "process {} did not try to reach the server", worker.id());
        (peak, mean) = (peak.max(most), f64::max(mean, each));
    }
    for worker in workers {
        assert!(worker.finish().success());
    }
    let ends = history.iter().filter(|change| change.state == "succeeded");
    let first = ends.filter(|end| end.at >= back).map(|end| end.at - back).min().unwrap();
    let lost: u32 = record.tasks.iter().map(|task| task.crashes).sum();
    let stopped: u32 = record.tasks.iter().map(|task| task.interrupts).sum();
    println!(
        "seed {seed}: down {was_down:.1?} with {IN_FLIGHT} in flight: 0 exits, {lost} leases lost, {} executions of {} tasks ({stopped} stopped after a lease), {mean:.2} connects a second at most, {peak} within one; a caller told after {told:.1?}; first end {first} ms after, all {done:.1?} after",
        begun(&place),
        record.tasks.len()
    );
    assert!(flying < 20, "seed {seed}: {flying} had ended before, which proves too little");
    assert!(wrong.is_empty(), "seed {seed}: {}", wrong.join("\n"));
    assert_eq!(lost, 0, "seed {seed}");
    assert_eq!(begun(&place), record.tasks.len() + usize::try_from(stopped).unwrap(), "seed {seed}");
    assert_eq!(stopped > 0, down > Duration::from_secs(30), "seed {seed}: {stopped} stopped");
    assert!(mean <= CONNECTS, "seed {seed}: {mean:.2} connects a second");
    assert!(told <= TOLD, "seed {seed}: a caller was told after {told:?}");
    assert!(Duration::from_millis(first.unsigned_abs()) <= FIRST, "seed {seed}: the first end came {first} ms after");
}

/// A lease shorter than the outage, and handlers longer than it.
#[test]
fn outages_that_are_longer_than_the_lease_make_nobody_take_over() {
    const DOWN: Duration = Duration::from_secs(4);
    const UP: Duration = Duration::from_secs(2);
    const TASKS: u64 = 30;
    let outages = if full() { 3 } else { rounds(2) };
    let (server, runtime) = (Server::start().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let (place, seed) = (Place::on_server(&server.url()), seed());
    let dispatcher = runtime.block_on(Dispatcher::open(&place.store())).unwrap();
    runtime.block_on(history::keep(&place));
    let mut workers: Vec<_> = (0..WORKERS).map(|_| serve(&place, "1s", "10")).collect();
    for worker in &workers {
        worker.hear("serving");
    }
    let begin = Instant::now();
    let handlers = (0..TASKS).map(|nth| work { millis: 1_000 + dice(seed, nth) % 11_001 });
    runtime.block_on(dispatcher.dispatch_all(handlers)).unwrap();
    until("all are in flight", || begun(&place) >= usize::try_from(TASKS).unwrap());
    for _ in 0..outages {
        server.stop("fast").unwrap();
        // The bar's own pauses.
        sleep(DOWN);
        server.start_again().unwrap();
        sleep(UP);
    }
    runtime.block_on(idle(&dispatcher)).unwrap();
    let took = begin.elapsed();
    assert!(workers.iter_mut().all(Program::is_alive), "seed {seed}: a process has ended");
    for worker in workers {
        assert!(worker.finish().success());
    }
    let (record, history) =
        runtime.block_on(async { (Record::read(&dispatcher).await.unwrap(), history::read(&place).await) });
    let mut wrong = check(&record, &history, &place);
    wrong.extend(runtime.block_on(dispatcher.verify()).unwrap().iter().map(ToString::to_string));
    runtime.block_on(dispatcher.close()).unwrap();
    let taken_over: u32 = record.tasks.iter().map(|task| task.crashes).sum();
    let stopped: u32 = record.tasks.iter().map(|task| task.interrupts).sum();
    println!(
        "seed {seed}: {outages} outages of {DOWN:?}, lease 1 s, handlers of 1 to 12 s: {} executions of {TASKS} tasks in {took:.1?}, {stopped} stopped by their own worker after a lease, {taken_over} taken over",
        begun(&place)
    );
    assert!(wrong.is_empty(), "seed {seed}: {}", wrong.join("\n"));
    assert_eq!(taken_over, 0, "seed {seed}");
    assert!(stopped > 0, "seed {seed}: nobody worked for longer than an outage, which proves nothing");
    // Whoever was stopped began once more; nobody else did.
    assert_eq!(begun(&place), usize::try_from(TASKS + u64::from(stopped)).unwrap(), "seed {seed}");
}
