//! Three workers on one store, of which one is killed again and again in the middle of its work; and the program
//! that dispatches, too.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use evertask::Dispatcher;
use evertask::testing::postgres::Server;
use evertask_tests::check::{Faults, Reference, check};
use evertask_tests::process::{Place, Program};
use evertask_tests::record::idle;
use evertask_tests::{dice, rounds, seed, witness};

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");
const WORKERS: u64 = 3;
const SLOTS: u32 = 4;
/// What is ordered before the first kill, and with each.
const FIRST_LAPS: u32 = 60;
const LAPS: u32 = 8;
const FEWEST_KILLS: u32 = 25;
const FEWEST_RUNS: usize = 200;

#[test]
fn nothing_is_lost_or_doubled_when_workers_are_killed() {
    kill_again_and_again(&Place::new());
}

#[test]
fn nothing_is_lost_or_doubled_when_workers_are_killed_on_a_server() {
    let server = Server::start().unwrap();
    kill_again_and_again(&Place::on_server(&server.url()));
}

fn kill_again_and_again(place: &Place) {
    let (seed, kills) = (seed(), rounds(FEWEST_KILLS).max(FEWEST_KILLS));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let reference = runtime.block_on(Reference::run());
    let seed_word = seed.to_string();
    let start = |mode: &str| {
        let slots = SLOTS.to_string();
        let arguments = [mode, "--seed", &seed_word, "--lease", "600ms", "--slots", &slots];
        Program::start(WORKER, place, &arguments, None)
    };

    let begun = Instant::now();
    let mut producer = start("produce");
    producer.order(&FIRST_LAPS.to_string());
    let mut workers: Vec<_> = (0..WORKERS).map(|_| start("serve")).collect();
    let (mut kill, mut busy, mut producers_killed) = (0, 0, 0);
    // A machine that is busy itself takes more of them to prove as much.
    while kill < kills || kill < 4 * kills && (busy * 2 < kills || acknowledged(place) < FEWEST_RUNS) {
        producer.order(&LAPS.to_string());
        let (delay, victim) = (dice(seed, u64::from(kill) * 2), dice(seed, u64::from(kill) * 2 + 1));
        // The bar's own pauses: between kills, not for anything to happen.
        std::thread::sleep(Duration::from_millis(50 + delay % 201));
        let worker = workers.swap_remove((victim % WORKERS).try_into().unwrap());
        let process = worker.id();
        worker.kill();
        if !witness::unfinished(&witness::read(&place.witness()), process).is_empty() {
            busy += 1;
        }
        workers.push(start("serve"));
        if kill % 5 == 4 {
            producer.kill();
            producers_killed += 1;
            producer = start("produce");
            // What the last one had not done of its orders.
            producer.order(&LAPS.to_string());
        }
        kill += 1;
    }
    let killed_for = begun.elapsed();
    assert!(producer.finish().success(), "the producer failed");
    runtime.block_on(async {
        let dispatcher = Dispatcher::open(&place.store()).await.unwrap();
        idle(&dispatcher).await.unwrap();
        dispatcher.close().await.unwrap();
    });
    for worker in workers {
        let status = worker.finish();
        assert!(status.success(), "a worker that was not killed ended with {status}");
    }
    let findings = runtime.block_on(check(place, &reference, Faults { kills: kill, slots: SLOTS }));
    println!(
        "seed {seed}: {kill} kills in {:.1} s, {busy} of a busy worker; {producers_killed} producers killed; all done after {:.1} s",
        killed_for.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    println!("  {findings}");
    findings.assert_sound(&format!("seed {seed}"));
    assert!(findings.acked >= FEWEST_RUNS, "seed {seed}: only {} runs, which proves too little", findings.acked);
    assert!(busy * 2 >= kills, "seed {seed}: only {busy} of {kill} kills hit a busy worker, which proves too little");
}

/// How many runs the producer knows to be stored.
fn acknowledged(place: &Place) -> usize {
    std::fs::read_to_string(place.acked()).map_or(0, |acked| acked.lines().count())
}

/// How often the server crashes.
const CRASHES: u32 = 20;

#[test]
fn nothing_is_lost_or_doubled_when_the_server_crashes() {
    let (seed, crashes) = (seed(), rounds(CRASHES).min(CRASHES));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let reference = runtime.block_on(Reference::run());
    let server = Server::start().unwrap();
    let place = Place::on_server(&server.url());
    let seed_word = seed.to_string();
    let start = |mode: &str| {
        let slots = SLOTS.to_string();
        let arguments = [mode, "--seed", &seed_word, "--lease", "3s", "--slots", &slots];
        Program::start(WORKER, &place, &arguments, None)
    };
    let begun = Instant::now();
    let mut producer = start("produce");
    producer.order(&FIRST_LAPS.to_string());
    let workers: Vec<_> = (0..WORKERS).map(|_| start("serve")).collect();
    producer.hear("producing");
    for worker in &workers {
        worker.hear("serving");
    }
    let (mut crash, mut busy) = (0, 0);
    while crash < crashes || crash < 4 * crashes && busy * 2 < crashes {
        producer.order(&LAPS.to_string());
        // The bar's own pauses: between crashes, not for anything to happen.
        std::thread::sleep(Duration::from_millis(50 + dice(seed, u64::from(crash)) % 401));
        let lines = witness::read(&place.witness());
        busy += u32::from(workers.iter().any(|worker| !witness::unfinished(&lines, worker.id()).is_empty()));
        server.stop("immediate").unwrap();
        server.start_again().unwrap();
        crash += 1;
    }
    assert!(producer.finish().success(), "the producer failed");
    runtime.block_on(async {
        let dispatcher = Dispatcher::open(&place.store()).await.unwrap();
        idle(&dispatcher).await.unwrap();
        dispatcher.close().await.unwrap();
    });
    for worker in workers {
        let status = worker.finish();
        assert!(status.success(), "a worker ended with {status}");
    }
    let findings = runtime.block_on(check(&place, &reference, Faults { kills: crash, slots: SLOTS * 3 }));
    println!(
        "seed {seed}: {crash} crashes, {busy} of a busy server; all done after {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    println!("  {findings}");
    findings.assert_sound(&format!("seed {seed}"));
    assert!(
        busy * 2 >= crashes,
        "seed {seed}: only {busy} of {crash} crashes hit running tasks, which proves too little"
    );
}
