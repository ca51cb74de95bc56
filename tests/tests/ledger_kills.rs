//! What handlers write to the store's own database is there exactly once, and so is the work of those who dispatch in
//! transactions of their own, when workers are killed or frozen and buyers killed in the middle of it.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use evertask::Dispatcher;
use evertask::testing::postgres::Server;
use evertask_tests::ledger::{Audit, Books};
use evertask_tests::process::{Place, Program};
use evertask_tests::record::idle;
use evertask_tests::witness::Word;
use evertask_tests::{dice, rounds, seed, witness};

const WORKER: &str = env!("CARGO_BIN_EXE_ledger-worker");
const WORKERS: u64 = 3;
/// What is bought before the first kill, and with each.
const FIRST: u32 = 100;
const MORE: u32 = 20;
const FEWEST_KILLS: u32 = 25;
/// Longer than a lease.
const FREEZE: Duration = Duration::from_millis(1_100);

#[test]
fn what_handlers_write_to_the_file_is_there_once() {
    kill_again_and_again(&Place::new());
}

#[test]
fn what_handlers_write_to_the_database_is_there_once() {
    let server = Server::start().unwrap();
    kill_again_and_again(&Place::on_server(&server.url()));
}

fn kill_again_and_again(place: &Place) {
    let (seed, kills) = (seed(), rounds(FEWEST_KILLS).max(FEWEST_KILLS));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let dispatcher = Dispatcher::open(&place.store()).await.unwrap();
        Books::open(&place.store()).await.unwrap().begin().await.unwrap();
        dispatcher.close().await.unwrap();
    });
    let seed_word = seed.to_string();
    let start = |mode: &str| Program::start(WORKER, place, &[mode, "--seed", &seed_word], None);

    let begun = Instant::now();
    let mut buyer = start("buy");
    buyer.order(&FIRST.to_string());
    let mut workers: Vec<_> = (0..WORKERS).map(|_| start("serve")).collect();
    for worker in &workers {
        worker.hear("serving");
    }
    let (mut turn, mut busy, mut buyers_killed, mut frozen) = (0, 0, 0, 0);
    // A machine that is busy itself takes more of them to prove as much.
    while turn < kills || turn < 4 * kills && busy * 2 < kills {
        let kill = turn;
        turn += 1;
        buyer.order(&MORE.to_string());
        let (delay, victim) = (dice(seed, u64::from(kill) * 2), dice(seed, u64::from(kill) * 2 + 1));
        // The bar's own pauses: between kills, not for anything to happen.
        std::thread::sleep(Duration::from_millis(50 + delay % 201));
        let worker = workers.swap_remove((victim % WORKERS).try_into().unwrap());
        let process = worker.id();
        if kill % 6 == 5 {
            worker.signal("STOP");
            std::thread::sleep(FREEZE);
            worker.signal("CONT");
            frozen += 1;
            workers.push(worker);
            continue;
        }
        worker.kill();
        busy += u32::from(!witness::unfinished(&witness::read(&place.witness()), process).is_empty());
        workers.push(start("serve"));
        if kill % 5 == 4 {
            buyer.kill();
            buyers_killed += 1;
            buyer = start("buy");
        }
    }
    assert!(buyer.finish().success(), "the buyer failed");
    runtime.block_on(async {
        let dispatcher = Dispatcher::open(&place.store()).await.unwrap();
        idle(&dispatcher).await.unwrap();
        dispatcher.close().await.unwrap();
    });
    for worker in workers {
        let status = worker.finish();
        assert!(status.success(), "a worker that was not killed ended with {status}");
    }
    let audit = runtime.block_on(Audit::of(place));
    let lines = witness::read(&place.witness());
    let attempts = lines.iter().filter(|line| line.word == Word::Begin).count();
    let again = attempts.saturating_sub(audit.purchases * 2);
    println!(
        "seed {seed}: {} kills, {busy} of a busy worker, {frozen} freezes, {buyers_killed} buyers killed, in {:.1} s",
        turn - frozen,
        begun.elapsed().as_secs_f64()
    );
    println!("  {audit:?}; {attempts} attempts, of which {again} were made again");
    let purchases = audit.purchases;
    assert_eq!(audit, Audit { purchases, ..Audit::default() }, "seed {seed}");
    assert!(purchases >= 100, "seed {seed}: only {purchases} purchases, which proves too little");
    assert!(again > 0, "seed {seed}: no attempt was made again, which proves nothing");
    assert!(busy * 2 >= kills, "seed {seed}: only {busy} kills hit a busy worker, which proves too little");
}
