//! A worker dies at each crash point there is; whoever comes after it finishes the work, once.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use evertask::Dispatcher;
use evertask::store::{TaskFilter, TaskState};
use evertask::testing::CRASH_POINTS;
use evertask_tests::check::{Faults, Reference, check, integrity};
use evertask_tests::courses::Guided;
use evertask_tests::laps::{Lap, gate};
use evertask_tests::process::{Place, Program};
use evertask_tests::witness::Word;
use evertask_tests::{dice, rounds, seed};

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");
/// What a process that aborts ends with.
const SIGABRT: i32 = 6;
const SLOTS: u32 = 4;
/// So many programs at a time: they wait more than they work.
const AT_ONCE: usize = 4;

/// How a point is reached.
struct Way {
    /// What the program does that dies there.
    drive: &'static [&'static str],
    /// Another one dies here before.
    before: Option<&'static str>,
    /// The point is passed at least so often.
    visits: u64,
}

fn way(point: &str) -> Way {
    const WORK: &[&str] = &["finish", "--laps", "8"];
    let kind = point.trim_start_matches("sqlite.").trim_end_matches("_commit").trim_end_matches(".before");
    let kind = kind.trim_end_matches(".after");
    let way = |drive, visits| Way { drive, before: None, visits };
    match kind {
        "dispatch" => way(WORK, 8),
        "claim" | "settle.succeeded" => way(WORK, 20),
        "settle.failed" | "settle.retry" | "settle.snoozed" => way(WORK, 3),
        "settle.cancelled" | "cancel" | "expire" | "attach" | "retire" | "migrate" | "checkpoint" => way(WORK, 1),
        "settle.interrupted" => way(&["interrupt", "--laps", "8"], 1),
        "settle.parked" => way(&["finish", "--old", "--laps", "2", "--notes", "4"], 1),
        // The first one leaves tasks that are said to run.
        "reclaim" => Way { before: Some("sqlite.claim.after_commit:6"), ..way(WORK, 1) },
        _ => panic!("a new crash point: say how `{point}` is reached"),
    }
}

/// One death, and what came after it.
struct Death {
    point: &'static str,
    round: u32,
    seed: u64,
}

impl Death {
    /// Gives what is wrong.
    fn rehearse(&self, reference: &Reference) -> Vec<String> {
        let way = way(self.point);
        let place = Place::new();
        let seed = self.seed.to_string();
        let laps = ["--seed", seed.as_str(), "--lease", "300ms"];
        let with = |drive: &[&'static str]| [drive, &laps].concat();
        let mut kills = 1;
        if let Some(point) = way.before {
            kills += 1;
            if let Err(wrong) = die(&place, &with(way.drive), point) {
                return vec![wrong];
            }
        }
        let visit = if self.round == 0 { 1 } else { 1 + dice(self.seed, u64::from(self.round)) % way.visits };
        let at = format!("{}:{visit}", self.point);
        if let Err(wrong) = die(&place, &with(way.drive), &at) {
            return vec![wrong];
        }
        let after = Program::start(WORKER, &place, &with(&["finish", "--laps", "8", "--notes", "4"]), None).finish();
        if !after.success() {
            return vec![format!("{at}: the program that came after it ended with {after}")];
        }
        let findings = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(check(
            &place,
            reference,
            Faults { kills, slots: SLOTS },
        ));
        findings.wrong.into_iter().map(|wrong| format!("{at}, seed {seed}: {wrong}")).collect()
    }
}

/// Lets a program die at a point; one that does not is wrong.
fn die(place: &Place, arguments: &[&str], at: &str) -> Result<(), String> {
    let status = Program::start(WORKER, place, arguments, Some(at)).finish();
    if status.signal() == Some(SIGABRT) { Ok(()) } else { Err(format!("{at} was not reached: {status}")) }
}

/// Gates that one worker holds are taken over by another, which dies in the middle of that.
fn dies_while_it_takes_over(at: &str, crashes: u32) {
    const GATES: u32 = 3;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = Place::new();
    let dispatcher = runtime.block_on(async {
        let dispatcher = Dispatcher::open(&format!("sqlite:{}", place.database().display())).await.unwrap();
        dispatcher.dispatch_all((0..GATES).map(|nth| gate { nth })).await.unwrap();
        dispatcher
    });
    let serve = ["serve", "--gate-closed", "--echo", "--lease", "300ms"];
    let first = Program::start(WORKER, &place, &serve, None);
    for _ in 0..GATES {
        first.hear_word(Word::Begin, "");
    }
    // The first one lives, so that this one has nothing to take over until it is dead.
    let second = Program::start(WORKER, &place, &serve, Some(at));
    second.hear("serving");
    first.kill();
    assert_eq!(second.wait().signal(), Some(SIGABRT), "{at}");
    let status = Program::start(WORKER, &place, &["finish", "--lease", "300ms"], None).finish();
    assert!(status.success(), "{at}: {status}");
    runtime.block_on(async {
        let gates = dispatcher.list(TaskFilter::new().state(TaskState::Succeeded)).await.unwrap();
        let seen: Vec<_> = gates.iter().map(|gate| (gate.crashes, gate.failures, gate.fence)).collect();
        assert_eq!(seen, [(crashes, 0, i64::from(crashes) + 1); GATES as usize], "{at}");
        assert_eq!(dispatcher.verify().await.unwrap(), []);
        dispatcher.close().await.unwrap();
    });
    assert_eq!(integrity(&place.database()), Vec::<String>::new());
}

#[test]
fn a_take_over_survives_the_death_of_who_does_it() {
    dies_while_it_takes_over("sqlite.reclaim.before_commit", 1);
    // What is taken over is claimed in the same transaction, so that it loses this worker, too.
    dies_while_it_takes_over("sqlite.reclaim.after_commit", 2);
}

/// Whether a client passes this point, not a worker.
fn is_a_clients(point: &str) -> bool {
    ["sqlite.signal.", "sqlite.pause.", "sqlite.resume."].iter().any(|kind| point.starts_with(kind))
}

/// Whether a worker passes it only where schedules are kept: `schedule_kills` dies there.
fn is_of_schedules(point: &str) -> bool {
    ["sqlite.schedules.", "sqlite.turn."].iter().any(|kind| point.starts_with(kind))
}

/// Who holds a run and rings for it dies in the middle of that, and does it again.
fn dies_while_it_guides(at: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = Place::new();
    let lap = Lap { nth: 0, seed: 0 };
    let (dispatcher, run) = runtime.block_on(async {
        let dispatcher = Dispatcher::open(&format!("sqlite:{}", place.database().display())).await.unwrap();
        let run = dispatcher.dispatch(Guided(lap.clone())).await.unwrap();
        (dispatcher, run)
    });
    let work = || Program::start(WORKER, &place, &["finish"], None).finish();
    assert!(work().success(), "{at}");
    assert_eq!(die(&place, &["guide"], at), Ok(()));
    assert!(Program::start(WORKER, &place, &["guide"], None).finish().success(), "{at}");
    assert!(work().success(), "{at}");
    runtime.block_on(async {
        assert_eq!(run.wait().await.unwrap(), lap, "{at}");
        let tasks = dispatcher.list(TaskFilter::new().run(run.id()).state(TaskState::Succeeded)).await.unwrap();
        assert_eq!(tasks.len(), 2, "{at}");
        assert_eq!(dispatcher.verify().await.unwrap(), []);
        dispatcher.close().await.unwrap();
    });
    assert_eq!(integrity(&place.database()), Vec::<String>::new());
}

#[test]
fn a_run_survives_the_death_of_who_guides_it() {
    let points: Vec<_> = CRASH_POINTS.iter().filter(|point| is_a_clients(point)).collect();
    assert_eq!(points.len(), 6);
    for point in points {
        dies_while_it_guides(point);
    }
}

#[test]
fn work_survives_a_death_at_every_crash_point() {
    let (seed, rounds) = (seed(), rounds(2));
    let reference = tokio::runtime::Runtime::new().unwrap().block_on(Reference::run());
    let is_meant = |point: &&str| point.starts_with("sqlite.") && !is_a_clients(point) && !is_of_schedules(point);
    let points: Vec<_> = CRASH_POINTS.iter().copied().filter(is_meant).collect();
    let deaths: Vec<Death> = points
        .iter()
        .flat_map(|&point| (0..rounds).map(move |round| Death { point, round, seed: dice(seed, u64::from(round)) }))
        .collect();
    let (next, deaths) = (AtomicUsize::new(0), &deaths);
    let hit = Mutex::new(BTreeMap::<&str, u32>::new());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                while let Some(death) = deaths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = death.rehearse(&reference);
                    if found.is_empty() {
                        *hit.lock().unwrap().entry(death.point).or_default() += 1;
                    }
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let (hit, wrong) = (hit.into_inner().unwrap(), wrong.into_inner().unwrap());
    println!("seed {seed}: {} crash points, {rounds} deaths at each", points.len());
    for point in points {
        println!("  {point:<40} {} survived", hit.get(point).copied().unwrap_or(0));
    }
    assert!(wrong.is_empty(), "{} things are wrong\n  {}", wrong.len(), wrong.join("\n  "));
}
