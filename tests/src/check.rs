//! The checker: compares what a store holds with what was acknowledged, what was witnessed, and what the same
//! laps come to where nothing goes wrong.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use evertask::store::{TaskRecord, TaskState};
use evertask::{Dispatcher, Task};

use crate::courses::{self, KINDS, key};
use crate::laps::{Lap, Track, faint_quietly, read_note};
use crate::process::Place;
use crate::record::{Record, idle};
use crate::witness::{self, Line, Witness, Word};

/// What each kind of lap comes to where nothing goes wrong.
#[derive(Debug)]
pub struct Reference {
    shapes: Vec<Vec<String>>,
}

impl Reference {
    /// Runs each kind of lap once, on the memory store.
    pub async fn run() -> Self {
        faint_quietly();
        let place = Place::new();
        let dispatcher = Dispatcher::open("memory:").await.unwrap();
        let witness = Witness::open(&place.witness(), false).unwrap();
        let track = Track { witness, dispatcher: dispatcher.clone(), gate_is_open: true };
        let worker = dispatcher.worker().lease("300ms").data_dyn(Arc::new(track));
        let worker = worker.start().await.unwrap();
        for nth in 0..KINDS {
            courses::dispatch(&dispatcher, Lap { nth, seed: 0 }).await.unwrap();
        }
        idle(&dispatcher).await.unwrap();
        worker.shutdown().await;
        let mut shapes = Record::read(&dispatcher).await.unwrap().shapes();
        Self { shapes: (0..KINDS).map(|nth| shapes.remove(&key(nth)).unwrap()).collect() }
    }

    /// What this lap must come to.
    pub fn shape(&self, nth: u32) -> &[String] {
        &self.shapes[(nth % KINDS) as usize]
    }
}

/// What may have happened.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// So many processes died.
    pub kills: u32,
    /// With so many slots each, and one for the tasks that cancel.
    pub slots: u32,
}

impl Faults {
    /// How many executions the kills can have cost.
    const fn most_repeated(self) -> u32 {
        self.kills * (self.slots + 1)
    }
}

/// What the checker found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Acknowledged laps.
    pub acked: usize,
    /// Runs that are stored.
    pub runs: usize,
    /// Tasks that are stored.
    pub tasks: usize,
    /// Attempts that began.
    pub executions: usize,
    /// Attempts that crashes cost.
    pub repeated: u32,
    /// What is wrong, a line each.
    pub wrong: Vec<String>,
}

impl Findings {
    /// Fails the test if anything is wrong.
    ///
    /// # Panics
    /// Then.
    pub fn assert_sound(&self, what: &str) {
        let shown = self.wrong.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n  ");
        assert!(self.wrong.is_empty(), "{what}: {} things are wrong\n  {shown}", self.wrong.len());
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs acknowledged, {} stored; {} tasks, {} executions, {} repeated after a crash; {} things wrong",
            self.acked,
            self.runs,
            self.tasks,
            self.executions,
            self.repeated,
            self.wrong.len()
        )
    }
}

/// Checks a place where nothing is left to do.
pub async fn check(place: &Place, reference: &Reference, faults: Faults) -> Findings {
    let dispatcher = Dispatcher::open(&place.store()).await.unwrap();
    let record = Record::read(&dispatcher).await.unwrap();
    let witnessed = witness::read(&place.witness());
    let mut findings = Findings { runs: record.runs.len(), tasks: record.tasks.len(), ..Findings::default() };
    let wrong = &mut findings.wrong;
    wrong.extend(dispatcher.verify().await.unwrap().iter().map(|violation| format!("store: {violation}")));
    dispatcher.close().await.unwrap();
    if place.is_file() {
        wrong.extend(integrity(&place.database()));
    }

    let acked = acked(&place.acked(), wrong);
    check_laps(&record, &acked, reference, wrong);
    for task in record.tasks.iter().filter(|task| !task.state.is_terminal()) {
        wrong.push(format!("{} {} is {}", task.name, task.id, task.state));
    }
    (findings.executions, findings.repeated) = check_executions(&record, &witnessed, wrong);
    if findings.repeated > faults.most_repeated() {
        let Faults { kills, slots } = faults;
        wrong.push(format!("{} repeated executions after {kills} kills of {slots} slots", findings.repeated));
    }
    findings.acked = acked.len();
    findings
}

/// Every acknowledged lap is stored under the id that was acknowledged, and came to what it must.
fn check_laps(record: &Record, acked: &BTreeMap<u32, String>, reference: &Reference, wrong: &mut Vec<String>) {
    let mut runs = HashMap::<&str, Vec<_>>::new();
    for run in &record.runs {
        runs.entry(run.key.as_deref().unwrap_or_default()).or_default().push(run);
    }
    let shapes = record.shapes();
    for (&nth, id) in acked {
        let key = key(nth);
        match runs.remove(key.as_str()).as_deref() {
            Some([run]) if run.id.to_string() == *id => {}
            Some(runs) => wrong.push(format!("{key}: acknowledged as {id}, and there are {} runs", runs.len())),
            None => wrong.push(format!("{key}: acknowledged as {id}, and not stored")),
        }
        let (found, expected) = (shapes.get(&key).map_or(&[][..], Vec::as_slice), reference.shape(nth));
        if found != expected {
            wrong.push(format!("{key}: {}", difference(found, expected)));
        }
    }
    wrong.extend(runs.keys().map(|key| format!("`{key}` was stored and never acknowledged")));
}

/// What is missing, and what is there too often.
fn difference(found: &[String], expected: &[String]) -> String {
    let mut counts = BTreeMap::<&str, i32>::new();
    for (lines, sign) in [(found, 1), (expected, -1)] {
        for line in lines {
            *counts.entry(line).or_default() += sign;
        }
    }
    let lines = counts.iter().filter(|(_, count)| **count != 0);
    lines.map(|(line, count)| format!("{count:+} {line}")).collect::<Vec<_>>().join("; ")
}

/// Every end was witnessed, every witness has a task, and nobody ran more often than it was claimed. Gives the
/// attempts that began, and those that crashes cost.
fn check_executions(record: &Record, witnessed: &[Line], wrong: &mut Vec<String>) -> (usize, u32) {
    let (mut begun, mut ended) = (HashMap::<&str, i64>::new(), HashSet::<&str>::new());
    for line in witnessed {
        match line.word {
            Word::Begin => *begun.entry(&line.task).or_default() += 1,
            Word::End => drop(ended.insert(&line.task)),
            Word::Told => {}
        }
    }
    let executions = witnessed.iter().filter(|line| line.word == Word::Begin).count();
    let mut repeated = 0;
    for task in &record.tasks {
        let id = task.id.to_string();
        let times = begun.remove(id.as_str()).unwrap_or(0);
        let has_handler = task.workflow.is_some() || !record.runs.iter().any(|run| run.workflow == task.name);
        if task.state == TaskState::Succeeded && has_handler && !ended.contains(id.as_str()) {
            wrong.push(format!("{} {id} succeeded, and nobody witnessed it", task.name));
        }
        if times > task.fence {
            wrong.push(format!("{} {id} began {times} times with {} claims", task.name, task.fence));
        }
        let (ended, parked) = (claims(task), i64::from(task.name == <read_note as Task>::NAME));
        if task.state != TaskState::Cancelled && !(ended..=ended + parked).contains(&task.fence) {
            wrong.push(format!("{} {id} was claimed {} times, of which {ended} ended", task.name, task.fence));
        }
        repeated += task.crashes;
    }
    wrong.extend(begun.keys().map(|id| format!("{id} was witnessed, and is not stored")));
    (executions, repeated)
}

/// The claims that are counted by how they ended. One that was parked is not.
fn claims(task: &TaskRecord) -> i64 {
    let succeeded = i64::from(task.state == TaskState::Succeeded);
    i64::from(task.failures) + i64::from(task.crashes) + i64::from(task.interrupts) + succeeded
}

/// The laps that were acknowledged, with their runs. A line that is not whole acknowledged nothing.
fn acked(path: &Path, wrong: &mut Vec<String>) -> BTreeMap<u32, String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut acked = BTreeMap::<u32, String>::new();
    for line in whole.lines() {
        let (nth, id) = line.split_once(' ').unwrap();
        let nth = nth.parse().unwrap();
        let before = acked.entry(nth).or_insert_with(|| id.to_owned());
        if before != id {
            wrong.push(format!("lap {nth} was acknowledged as {before} and as {id}"));
        }
    }
    acked
}

/// What SQLite itself says of the file.
pub fn integrity(database: &Path) -> Vec<String> {
    let conn = rusqlite::Connection::open(database).unwrap();
    let mut check = conn.prepare("PRAGMA integrity_check").unwrap();
    let lines = check.query_map([], |row| row.get::<_, String>(0)).unwrap();
    lines.map(Result::unwrap).filter(|line| line != "ok").map(|line| format!("integrity_check: {line}")).collect()
}
