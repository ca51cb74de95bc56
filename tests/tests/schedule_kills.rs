//! Three workers on one store with five schedules of a second each. Again and again one of them is killed, and
//! sometimes all of them, for a while: no slot is started twice, and those that were missed are what the policy says.

#![allow(clippy::unwrap_used)]

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use evertask::store::ScheduleRecord;
use evertask::testing::CRASH_POINTS;
use evertask::testing::postgres::{Schema, Server};
use evertask::{Dispatcher, Timestamp};
use evertask_tests::beats::{self, Beats};
use evertask_tests::process::{Place, Program};
use evertask_tests::record::{Record, idle};
use evertask_tests::{dice, full, seed};

const WORKER: &str = env!("CARGO_BIN_EXE_schedule-worker");
const WORKERS: usize = 3;
/// So many kills end with one of all workers.
const ROUND: u64 = 4;
/// How long nobody is there then.
const OUTAGE: Duration = Duration::from_millis(3_300);
/// What a process that aborts ends with.
const SIGABRT: i32 = 6;

#[test]
fn no_slot_is_doubled_when_workers_are_killed() {
    kill_again_and_again(&Place::new());
}

#[test]
fn no_slot_is_doubled_when_workers_are_killed_on_a_server() {
    let server = Server::start().unwrap();
    kill_again_and_again(&Place::on_server(&server.url()));
}

fn kill_again_and_again(place: &Place) {
    let seed = seed();
    let (kills, between) = if full() { (24, Duration::from_secs(5)) } else { (8, Duration::from_millis(900)) };
    let began = keep(place);
    let watch = Instant::now();
    let start = || Program::start(WORKER, place, &[], None);
    let mut workers: Vec<_> = (0..WORKERS).map(|_| start()).collect();
    let mut killed = 0;
    for kill in 0..kills {
        // The bar's own pauses: between kills, not for anything to happen.
        std::thread::sleep(between);
        if kill % ROUND == ROUND - 1 {
            killed += workers.len();
            workers.drain(..).for_each(Program::kill);
            std::thread::sleep(OUTAGE);
            workers.extend((0..WORKERS).map(|_| start()));
            for worker in &workers {
                worker.hear("serving");
            }
        } else {
            killed += 1;
            let victim = dice(seed, kill) % WORKERS as u64;
            workers.swap_remove(usize::try_from(victim).unwrap()).kill();
            workers.push(start());
        }
    }
    let killed_for = watch.elapsed();
    let (found, wrong) = check(place, &began);
    for worker in workers {
        let status = worker.finish();
        assert!(status.success(), "a worker that was not killed ended with {status}");
    }
    println!(
        "seed {seed}: {killed} workers killed in {:.1} s, {} times all of them for {OUTAGE:?}",
        killed_for.as_secs_f64(),
        kills / ROUND
    );
    for (id, beats) in &found {
        println!("  {id:<7} {beats}");
    }
    let doubled: usize = found.iter().map(|(_, beats)| beats.doubled).sum();
    println!("  {doubled} slots were started twice, and {} things are not as the policies say", wrong.len());
    assert!(wrong.is_empty(), "seed {seed}: {} things are wrong\n  {}", wrong.len(), wrong.join("\n  "));
    for (id, beats) in found {
        assert!(beats.fired as u64 >= killed_for.as_secs() / 4, "{id}: {beats}, which proves too little");
        match id {
            "all" => assert!(beats.skipped == 0 && beats.made_up_for > 0, "{id}: {beats}"),
            _ => assert!(beats.skipped > 0, "{id}: nothing was missed, which proves too little"),
        }
    }
}

#[test]
fn who_dies_at_the_commit_of_a_schedule_or_a_turn_doubles_and_loses_nothing() {
    die_at_each("sqlite", Place::new);
}

#[test]
fn who_dies_at_the_commit_of_a_schedule_or_a_turn_on_a_server_doubles_and_loses_nothing() {
    die_at_each("postgres", || Place::on_server(Schema::new().unwrap().url()));
}

fn die_at_each(store: &str, place: fn() -> Place) {
    let kinds = ["schedules", "turn"].map(|kind| format!("{store}.{kind}."));
    let is_meant = |point: &&&str| kinds.iter().any(|kind| point.starts_with(kind));
    let points: Vec<_> = CRASH_POINTS.iter().filter(is_meant).collect();
    assert_eq!(points.len(), 4, "{points:?}");
    let deaths = points.iter().flat_map(|point| [1, 2, 3].map(|visit| format!("{point}:{visit}")));
    std::thread::scope(|threads| {
        for death in deaths {
            threads.spawn(move || {
                let place = place();
                // Who dies in a turn has found schedules; who dies in the adding of one leaves the rest to others.
                let found = death.contains(".turn.").then(|| keep(&place));
                let status = Program::start(WORKER, &place, &[], Some(&death)).wait();
                assert_eq!(status.signal(), Some(SIGABRT), "{death}: {status}");
                let began = found.unwrap_or_else(|| keep(&place));
                let after = Program::start(WORKER, &place, &[], None);
                until_turned(&place, &began);
                let (found, wrong) = check(&place, &began);
                assert!(after.finish().success(), "{death}: the worker that came after failed");
                assert!(wrong.is_empty(), "{death}: {} things are wrong\n  {}", wrong.len(), wrong.join("\n  "));
                assert!(found.iter().all(|(_, beats)| beats.doubled == 0 && beats.fired > 0), "{death}: {found:#?}");
            });
        }
    });
}

/// Adds the schedules, before any worker is there. The first slot of each.
fn keep(place: &Place) -> Vec<Timestamp> {
    on(place, async |dispatcher| {
        beats::keep(dispatcher).await.unwrap();
        let mut first = Vec::new();
        for (id, _) in beats::schedules() {
            first.push(record(dispatcher, id).await.next.unwrap());
        }
        first
    })
}

/// Waits until each schedule was turned three seconds after its first slot.
fn until_turned(place: &Place, began: &[Timestamp]) {
    on(place, async |dispatcher| {
        for ((id, _), began) in beats::schedules().into_iter().zip(began) {
            let far = began.plus(Duration::from_secs(3));
            while record(dispatcher, id).await.next.is_none_or(|next| next < far) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
}

/// Holds the schedules, lets what they have started end, and compares it with the plan.
fn check(place: &Place, began: &[Timestamp]) -> (Vec<(&'static str, Beats)>, Vec<String>) {
    on(place, async |dispatcher| {
        for (id, _) in beats::schedules() {
            assert!(dispatcher.pause_schedule(id).await.unwrap());
        }
        idle(dispatcher).await.unwrap();
        let violations = dispatcher.verify().await.unwrap();
        let mut wrong: Vec<_> = violations.iter().map(|violation| format!("store: {violation}")).collect();
        let stored = Record::read(dispatcher).await.unwrap();
        assert_eq!(dispatcher.schedules().await.unwrap().len(), began.len(), "who starts again doubles no schedule");
        let mut found = Vec::new();
        for ((id, schedule), began) in beats::schedules().into_iter().zip(began) {
            let payload = format!("{{\"of\":\"{id}\"}}").into_bytes();
            let tasks: Vec<_> = stored.tasks.iter().filter(|task| task.payload == payload).cloned().collect();
            let mut beats = beats::replay(id, &schedule, *began, &record(dispatcher, id).await, &tasks);
            wrong.append(&mut beats.wrong);
            found.push((id, beats));
        }
        (found, wrong)
    })
}

fn on<T>(place: &Place, run: impl AsyncFnOnce(&Dispatcher) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let dispatcher = Dispatcher::open(&place.store()).await.unwrap();
        let done = run(&dispatcher).await;
        dispatcher.close().await.unwrap();
        done
    })
}

async fn record(dispatcher: &Dispatcher, id: &str) -> ScheduleRecord {
    let all = dispatcher.schedules().await.unwrap();
    all.into_iter().find(|schedule| schedule.id == id).unwrap()
}
