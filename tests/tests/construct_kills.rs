//! A course for each construct of the language dies at every crash point that it passes; the process that comes after
//! it ends the course as if nothing had been.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use evertask::Dispatcher;
use evertask::testing::CRASH_POINTS;
use evertask::testing::postgres::Schema;
use evertask_tests::check::integrity;
use evertask_tests::constructs::{COURSES, Course, shape};
use evertask_tests::process::{Place, Program};
use evertask_tests::record::Record;
use evertask_tests::{dice, rounds, seed, witness};

const WORKER: &str = env!("CARGO_BIN_EXE_construct-worker");
/// What a process that aborts ends with.
const SIGABRT: i32 = 6;
/// So many programs at a time: they wait more than they work.
const AT_ONCE: usize = 4;
/// Commits that come at the same time share one, so that a course passes a point now more often and now less.
const TRIES: u32 = 3;

/// Where a course dies.
#[derive(Debug, Clone, Copy)]
struct Death<'a> {
    course: &'a Course,
    /// Where it runs.
    place: fn() -> Place,
    /// What the course comes to without a death.
    expected: &'a [String],
    point: &'a str,
    visit: u64,
}

/// What came of it.
enum Outcome {
    Survived,
    NotReached,
    Wrong(Vec<String>),
}

impl Death<'_> {
    fn rehearse(self) -> Outcome {
        let at = format!("{}:{}", self.point, self.visit);
        for _ in 0..TRIES {
            let place = (self.place)();
            let status = Program::start(WORKER, &place, &[self.course.name], Some(&at)).finish();
            if status.signal() == Some(SIGABRT) {
                let after = Program::start(WORKER, &place, &[self.course.name], None).finish();
                if !after.success() {
                    return Outcome::Wrong(vec![format!("the process that came after ended with {after}")]);
                }
                let wrong = check(&place, self.expected, 1);
                return if wrong.is_empty() { Outcome::Survived } else { Outcome::Wrong(wrong) };
            }
            if !status.success() {
                return Outcome::Wrong(vec![format!("the process ended with {status}")]);
            }
        }
        Outcome::NotReached
    }
}

/// What is wrong with a place where a course has ended.
fn check(place: &Place, expected: &[String], kills: u32) -> Vec<String> {
    let (record, mut wrong) = read(place);
    let witnessed = witness::read(&place.witness());
    let found = shape(&record, &witnessed);
    for line in found.iter().filter(|line| !expected.contains(line)) {
        wrong.push(format!("too much: {line}"));
    }
    for line in expected.iter().filter(|line| !found.contains(line)) {
        wrong.push(format!("missing: {line}"));
    }
    if found.len() != expected.len() {
        wrong.push(format!("{} lines, and not {}: {found:#?}", found.len(), expected.len()));
    }
    for task in &record.tasks {
        let begun =
            witnessed.iter().filter(|line| line.word == witness::Word::Begin && line.task == task.id.to_string());
        let begun = i64::try_from(begun.count()).unwrap();
        if begun > task.fence {
            wrong.push(format!("{} began {begun} times with {} claims", task.name, task.fence));
        }
        if task.crashes > kills {
            wrong.push(format!("{} lost {} attempts with {kills} deaths", task.name, task.crashes));
        }
    }
    wrong
}

fn read(place: &Place) -> (Record, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (record, mut wrong) = runtime.block_on(async {
        let dispatcher = Dispatcher::open(&place.store()).await.unwrap();
        let record = Record::read(&dispatcher).await.unwrap();
        let wrong: Vec<_> =
            dispatcher.verify().await.unwrap().iter().map(|violation| format!("store: {violation}")).collect();
        dispatcher.close().await.unwrap();
        (record, wrong)
    });
    if place.is_file() {
        wrong.extend(integrity(&place.database()));
    }
    (record, wrong)
}

/// Takes a course to its end without a death. Gives what it came to, and how often it passed each crash point.
fn rehearsal(course: &Course, place: fn() -> Place) -> (Vec<String>, BTreeMap<String, u64>) {
    let place = place();
    let passed = place.acked();
    let status = Program::start_recorded(WORKER, &place, &[course.name], &passed).finish();
    assert!(status.success(), "{}: {status}", course.name);
    let (record, wrong) = read(&place);
    let first = record.runs.iter().find(|run| run.parent.is_none()).unwrap();
    assert_eq!(first.state, course.state, "{}", course.name);
    let output = first.output.as_deref().map(|output| String::from_utf8_lossy(output).replace('"', ""));
    assert_eq!(output.as_deref(), course.output, "{}", course.name);
    let expected = shape(&record, &witness::read(&place.witness()));
    assert_eq!(wrong, Vec::<String>::new(), "{}", course.name);
    assert_eq!(check(&place, &expected, 0), Vec::<String>::new(), "{}", course.name);
    let mut points = BTreeMap::new();
    for point in std::fs::read_to_string(passed).unwrap().lines() {
        *points.entry(point.to_owned()).or_default() += 1;
    }
    (expected, points)
}

#[test]
fn each_construct_survives_a_death_at_every_point_that_it_passes() {
    kill_each_construct(Place::new);
}

#[test]
fn each_construct_survives_a_death_at_every_point_that_it_passes_on_a_server() {
    kill_each_construct(|| Place::on_server(Schema::new().unwrap().url()));
}

fn kill_each_construct(place: fn() -> Place) {
    let (seed, rounds) = (seed(), rounds(0));
    let rehearsals: Vec<_> = COURSES.iter().map(|course| (course, rehearsal(course, place))).collect();
    let mut deaths = Vec::new();
    for (course, (expected, points)) in &rehearsals {
        for (point, &visits) in points {
            let death = |visit| Death { course, place, expected, point, visit };
            // The first visit, and one of the others; with rounds, all of them.
            if rounds == 0 {
                deaths.push(death(1));
                if visits > 1 {
                    deaths.push(death(2 + dice(seed, u64::try_from(deaths.len()).unwrap()) % (visits - 1)));
                }
            }
            for _ in 0..rounds {
                deaths.extend((1..=visits).map(death));
            }
        }
    }
    let (next, deaths) = (AtomicUsize::new(0), &deaths);
    let survived = Mutex::new(BTreeMap::<(&str, &str), u32>::new());
    let (missed, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                while let Some(death) = deaths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match death.rehearse() {
                        Outcome::Survived => {
                            *survived.lock().unwrap().entry((death.course.name, death.point)).or_default() += 1;
                        }
                        Outcome::NotReached => {
                            missed.fetch_add(1, Ordering::Relaxed);
                        }
                        Outcome::Wrong(found) => {
                            let whose = format!("{}, {}:{}", death.course.name, death.point, death.visit);
                            wrong.lock().unwrap().extend(found.into_iter().map(|wrong| format!("{whose}: {wrong}")));
                        }
                    }
                }
            });
        }
    });
    let passed = rehearsals.iter().flat_map(|(_, (_, points))| points.keys());
    let unlisted: BTreeSet<_> = passed.filter(|point| !CRASH_POINTS.contains(&point.as_str())).collect();
    assert!(unlisted.is_empty(), "not among all crash points: {unlisted:?}");
    let (survived, mut wrong) = (survived.into_inner().unwrap(), wrong.into_inner().unwrap());
    let mut names = BTreeSet::new();
    for (course, (_, points)) in &rehearsals {
        let kills: u32 = points.keys().filter_map(|point| survived.get(&(course.name, point.as_str()))).sum();
        println!(
            "  {:<16} {:>3} points, {:>3} passages, {kills:>4} deaths survived",
            course.name,
            points.len(),
            points.values().sum::<u64>()
        );
        for point in points.keys() {
            names.insert(point.as_str());
            if !survived.contains_key(&(course.name, point.as_str())) {
                wrong.push(format!("{}: no death at {point} was survived", course.name));
            }
        }
    }
    let pairs: usize = rehearsals.iter().map(|(_, (_, points))| points.len()).sum();
    let kills: u32 = survived.values().sum();
    println!(
        "seed {seed}: {} courses, {} points, {pairs} times a course at a point, {kills} deaths survived; {} passages came in one commit with others",
        COURSES.len(),
        names.len(),
        missed.load(Ordering::Relaxed)
    );
    assert!(wrong.is_empty(), "{} things are wrong\n  {}", wrong.len(), wrong.join("\n  "));
}
