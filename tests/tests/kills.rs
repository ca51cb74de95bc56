//! Three workers on one file, of which one is killed again and again in the middle of its work; and the program
//! that dispatches, too.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use evertask::Dispatcher;
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

#[test]
fn nothing_is_lost_or_doubled_when_workers_are_killed() {
    let (seed, kills) = (seed(), rounds(FEWEST_KILLS).max(FEWEST_KILLS));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let reference = runtime.block_on(Reference::run());
    let place = Place::new();
    let seed_word = seed.to_string();
    let start = |mode: &str| {
        let slots = SLOTS.to_string();
        let arguments = [mode, "--seed", &seed_word, "--lease", "600ms", "--slots", &slots];
        Program::start(WORKER, &place, &arguments, None)
    };

    let begun = Instant::now();
    let mut producer = start("produce");
    producer.order(&FIRST_LAPS.to_string());
    let mut workers: Vec<_> = (0..WORKERS).map(|_| start("serve")).collect();
    let (mut busy, mut producers_killed) = (0, 0);
    for kill in 0..kills {
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
    }
    let killed_for = begun.elapsed();
    assert!(producer.finish().success(), "the producer failed");
    runtime.block_on(async {
        let dispatcher = Dispatcher::open(&format!("sqlite:{}", place.database().display())).await.unwrap();
        idle(&dispatcher).await.unwrap();
        dispatcher.close().await.unwrap();
    });
    for worker in workers {
        let status = worker.finish();
        assert!(status.success(), "a worker that was not killed ended with {status}");
    }
    let findings = runtime.block_on(check(&place, &reference, Faults { kills, slots: SLOTS }));
    println!(
        "seed {seed}: {kills} kills in {:.1} s, {busy} of a busy worker; {producers_killed} producers killed; all done after {:.1} s",
        killed_for.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    println!("  {findings}");
    findings.assert_sound(&format!("seed {seed}"));
    assert!(findings.acked >= 200, "seed {seed}: only {} runs, which proves too little", findings.acked);
    assert!(busy * 2 >= kills, "seed {seed}: only {busy} of {kills} kills hit a busy worker, which proves too little");
}
