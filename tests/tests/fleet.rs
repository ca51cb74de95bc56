//! A fleet of three workers and a producer on a server. For a while, a worker is killed every second or so, or stands
//! still for longer than its lease; in the middle the database is restarted. In the end every run has come to one
//! end, each change of a state happened once, and each effect is there, with the attempt that did it. The checker
//! reads the database and what the processes wrote down, and nothing else.

#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use evertask::Dispatcher;
use evertask::store::TaskState;
use evertask::testing::postgres::Server;
use evertask_tests::check::{Faults, Reference, check};
use evertask_tests::history::{self, Change};
use evertask_tests::process::{Place, Program};
use evertask_tests::record::{Record, idle};
use evertask_tests::witness::{self, Line, Word};
use evertask_tests::{dice, full, seed};

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");
const WORKERS: u64 = 3;
const SLOTS: u32 = 4;
/// 1.7 leases.
const FROZEN: Duration = Duration::from_millis(1_700);
/// How long the database is away.
const AWAY: Duration = Duration::from_millis(500);
/// What is ordered in the beginning, and with each blow.
const FIRST_LAPS: u32 = 40;
const LAPS: u32 = 10;

const FEWEST_BLOWS: u32 = 9;

/// What has befallen the fleet.
#[derive(Debug, Default)]
struct Blows {
    kills: u32,
    freezes: u32,
    /// Of these, so many hit a worker that had something to do.
    busy: u32,
}

struct Fleet<'a> {
    place: &'a Place,
    seed: u64,
    workers: Vec<Program>,
}

impl Fleet<'_> {
    fn start(&self, mode: &str) -> Program {
        let (slots, seed) = (SLOTS.to_string(), self.seed.to_string());
        let arguments = [mode, "--seed", &seed, "--lease", "1s", "--slots", &slots, "--longest", "300"];
        Program::start(WORKER, self.place, &arguments, None)
    }

    /// One of them is killed, and another one started; each third time one stands still instead.
    fn strike(&mut self, nth: u32, blows: &mut Blows) {
        let victim = usize::try_from(dice(self.seed, u64::from(nth) * 2) % WORKERS).unwrap();
        let process = self.workers[victim].id();
        let freezes = nth % 3 == 2;
        if freezes {
            self.workers[victim].signal("STOP");
        } else {
            self.workers.swap_remove(victim).kill();
        }
        let is_busy = !witness::unfinished(&witness::read(&self.place.witness()), process).is_empty();
        blows.busy += u32::from(is_busy);
        if freezes {
            blows.freezes += 1;
            // The bar's own pause.
            sleep(FROZEN);
            self.workers[victim].signal("CONT");
        } else {
            blows.kills += 1;
            self.workers.push(self.start("serve"));
        }
    }
}

#[test]
fn a_fleet_ends_its_work_whatever_befalls_it() {
    let time = Duration::from_secs(if full() { 60 } else { 12 });
    let (server, runtime) = (Server::start().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let (place, seed) = (Place::on_server(&server.url()), seed());
    let reference = runtime.block_on(Reference::run());
    let dispatcher = runtime.block_on(Dispatcher::open(&place.store())).unwrap();
    runtime.block_on(history::keep(&place));
    let mut fleet = Fleet { place: &place, seed, workers: Vec::new() };
    let mut producer = fleet.start("produce");
    producer.order(&FIRST_LAPS.to_string());
    fleet.workers = (0..WORKERS).map(|_| fleet.start("serve")).collect();
    let (begun, mut blows, mut restarted) = (Instant::now(), Blows::default(), false);
    for nth in 0_u32.. {
        // A machine that is busy with other things strikes less often.
        if begun.elapsed() >= time && nth >= FEWEST_BLOWS {
            break;
        }
        producer.order(&LAPS.to_string());
        // The bar's own pauses.
        sleep(Duration::from_millis(700 + dice(seed, u64::from(nth) * 2 + 1) % 601));
        if !restarted && begun.elapsed() >= time / 2 {
            server.stop("fast").unwrap();
            sleep(AWAY);
            server.start_again().unwrap();
            restarted = true;
        }
        fleet.strike(nth, &mut blows);
    }
    let struck_for = begun.elapsed();
    assert!(producer.finish().success(), "seed {seed}: the producer failed");
    runtime.block_on(idle(&dispatcher)).unwrap();
    for worker in fleet.workers {
        let status = worker.finish();
        assert!(status.success(), "seed {seed}: a worker that was not killed ended with {status}");
    }
    let done = begun.elapsed();

    let (record, history) =
        runtime.block_on(async { (Record::read(&dispatcher).await.unwrap(), history::read(&place).await) });
    runtime.block_on(dispatcher.close()).unwrap();
    // A frozen worker may have had the locks that the others waited for, and all lose touch with the database at once.
    let lives = blows.kills + (blows.freezes + 1) * u32::try_from(WORKERS).unwrap();
    let mut findings = runtime.block_on(check(&place, &reference, Faults { kills: lives, slots: SLOTS }));
    findings.wrong.extend(history::check(&history, &record));
    let effects = witness::read(&place.witness());
    findings.wrong.extend(check_effects(&record, &history, &effects));
    println!(
        "seed {seed}: {} kills, {} freezes, 1 restart of the database in {:.1} s, {} of a busy worker; all done after {:.1} s",
        blows.kills,
        blows.freezes,
        struck_for.as_secs_f64(),
        blows.busy,
        done.as_secs_f64()
    );
    let ended = effects.iter().filter(|line| line.word == Word::End).count();
    println!("  {} changes of state, each once; {ended} effects", history.len());
    println!("  {findings}");
    findings.assert_sound(&format!("seed {seed}"));
    let all = blows.kills + blows.freezes;
    assert!(blows.busy * 2 >= all, "seed {seed}: only {} of {all} hit a busy worker", blows.busy);
    assert!(findings.repeated > 0, "seed {seed}: nothing was interrupted, which proves nothing");
}

/// Each attempt that is stored was witnessed, in the process that had the claim; and no other.
fn check_effects(record: &Record, history: &[Change], lines: &[Line]) -> Vec<String> {
    let (mut wrong, owners) = (Vec::new(), history::owners(history));
    let mut claims = HashSet::new();
    for change in history.iter().filter(|change| !change.of_run && change.state == "running") {
        claims.insert((change.id.clone(), change.process));
    }
    let mut of_task = HashMap::<&str, Vec<&Line>>::new();
    for line in lines {
        of_task.entry(&line.task).or_default().push(line);
    }
    for task in &record.tasks {
        let id = task.id.to_string();
        let Some(effects) = of_task.get(id.as_str()) else { continue };
        let last = task.failures + u32::from(task.state == TaskState::Succeeded);
        for attempt in 1..=last {
            // A failure may be a panic or a time-out, before which it had begun.
            let word = if attempt > task.failures { Word::End } else { Word::Begin };
            if !effects.iter().any(|effect| effect.attempt == attempt && effect.word == word) {
                wrong.push(format!("{} {id}: attempt {attempt} is stored, and left nothing", task.name));
            }
        }
        for effect in effects {
            if effect.attempt > task.failures + 1 {
                wrong.push(format!("{} {id}: attempt {} left something, and is not stored", task.name, effect.attempt));
            }
            if !claims.contains(&(history::digits(&id), Some(effect.process))) {
                wrong.push(format!("{} {id}: process {} ran it without a claim", task.name, effect.process));
            }
        }
        let owner = owners.get(history::digits(&id).as_str());
        let by_owner = |effect: &&&Line| effect.word == Word::End && Some(&effect.process) == owner;
        if task.state == TaskState::Succeeded && !effects.iter().any(|effect| by_owner(&effect)) {
            wrong.push(format!("{} {id}: the result is not of the process that had the claim", task.name));
        }
    }
    wrong
}
