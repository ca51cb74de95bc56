//! Whether what is stored is what the reference tells.

use std::collections::{HashMap, HashSet};

use evertask::store::{RunRecord, RunState, TaskRecord, TaskState};
use evertask::{RunId, TaskId};
use serde_json::Value;

use crate::drive::Record;
use crate::entries::{Act, Sub, joined};
use crate::graph::{Graph, Kind};
use crate::plan::Outcome;
use crate::reference::{Told, ToldTask};
use crate::said::{FLOW_NAMES, STEP_NAMES};

/// Everything that is not as it should be.
pub(crate) fn compare(graph: &Graph, told: &Told, record: &Record) -> Vec<String> {
    let mut check = Check::new(graph, record);
    check.wrong.extend(record.wrong.iter().cloned());
    let tops: Vec<&RunRecord> = record.runs.iter().filter(|run| run.parent.is_none()).collect();
    match tops.as_slice() {
        [run] => check.run(run, told, true),
        runs => check.wrong.push(format!("{} runs, where one was started", runs.len())),
    }
    check.undos();
    let seen = check.seen.len();
    if seen != record.runs.len() {
        check.wrong.push(format!("{} runs, of which {seen} should be", record.runs.len()));
    }
    check.wrong
}

struct Check<'a> {
    graph: &'a Graph,
    record: &'a Record,
    runs: HashMap<RunId, &'a RunRecord>,
    tasks: HashMap<TaskId, &'a TaskRecord>,
    /// The tasks of each run that undo nothing, in their order.
    of: HashMap<RunId, Vec<&'a TaskRecord>>,
    /// The run that a step waits for.
    within: HashMap<TaskId, &'a RunRecord>,
    seen: HashSet<RunId>,
    /// Whether everything of this run, and of those within, comes one after the other.
    in_turn: HashSet<RunId>,
    wrong: Vec<String>,
}

impl<'a> Check<'a> {
    fn new(graph: &'a Graph, record: &'a Record) -> Self {
        let mut of = HashMap::<RunId, Vec<&TaskRecord>>::new();
        for task in record.tasks.iter().filter(|task| !task.is_undo) {
            of.entry(task.run.unwrap()).or_default().push(task);
        }
        Self {
            graph,
            record,
            runs: record.runs.iter().map(|run| (run.id, run)).collect(),
            tasks: record.tasks.iter().map(|task| (task.id, task)).collect(),
            of,
            within: record.runs.iter().filter_map(|run| Some((run.parent?, run))).collect(),
            seen: HashSet::new(),
            in_turn: HashSet::new(),
            wrong: Vec::new(),
        }
    }

    /// A run, which is all that is told, or, where a failure beside it may have stopped it, a part of that.
    fn run(&mut self, run: &'a RunRecord, told: &Told, whole: bool) {
        self.seen.insert(run.id);
        if is_in_turn(told) {
            self.in_turn.insert(run.id);
        }
        let name = format!("{} of {}", FLOW_NAMES[told.flow], told.input);
        self.end_of(run, told, whole, &name);
        if run.open_tasks != 0 {
            self.wrong.push(format!("{name} has {} open tasks", run.open_tasks));
        }
        let whole = whole && (told.failures.is_empty() || !told.parallel);
        let stored = self.of.get(&run.id).cloned().unwrap_or_default();
        let mut left: Vec<&ToldTask> = told.tasks.iter().collect();
        let (mut brought, mut order) = (false, Vec::new());
        for task in stored {
            let (step, text) = (step_of(task), self.text(task));
            let same = |told: &&ToldTask| told.step == step && told.text == text && told.item == task.item;
            let alike = |told: &ToldTask| told.ended.is_ok() == (task.state == TaskState::Succeeded);
            let found = left.iter().position(|told| same(told) && alike(told));
            let Some(found) = found.or_else(|| left.iter().position(same)) else {
                self.wrong.push(format!("{name}: nothing leads to {} of `{text}`", STEP_NAMES[step]));
                continue;
            };
            let expected = left.remove(found);
            order.push(told.tasks.iter().position(|told| std::ptr::eq(told, expected)));
            let message = run.failure.as_ref().map_or("", |failure| failure.message.as_str());
            brought |= task.state.is_terminal()
                && task.state != TaskState::Cancelled
                && expected.fails.iter().any(|fails| message.ends_with(fails.as_str()));
            self.task(task, expected, whole, &name);
        }
        if whole {
            for missing in left {
                self.wrong.push(format!("{name}: there is no {} of `{}`", STEP_NAMES[missing.step], missing.text));
            }
            if !told.parallel && !order.is_sorted() {
                self.wrong.push(format!("{name}: its steps came in the order {order:?}"));
            }
        }
        if !told.failures.is_empty() && run.state == RunState::Failed && !brought && whole {
            self.wrong.push(format!("{name}: no task brought its failure {:?}", run.failure));
        }
    }

    fn end_of(&mut self, run: &RunRecord, told: &Told, whole: bool, name: &str) {
        let output = run.output.as_deref().map(|json| serde_json::from_slice::<Value>(json).unwrap());
        match run.state {
            RunState::Succeeded => {
                let expected = told.output.clone().map_or(Value::Null, Value::String);
                if !told.failures.is_empty() || output != Some(expected) {
                    let (told, failures) = (&told.output, &told.failures);
                    self.wrong.push(format!("{name} gave {output:?}, not {told:?}; failures: {failures:?}"));
                }
            }
            RunState::Failed if whole => {
                let message = run.failure.as_ref().map_or("", |failure| failure.message.as_str());
                if !told.failures.iter().any(|failure| message.ends_with(failure)) {
                    self.wrong.push(format!("{name} failed with `{message}`, not with one of {:?}", told.failures));
                }
            }
            // What stops it may be beside it.
            RunState::Failed | RunState::Cancelled if !whole => {}
            state => self.wrong.push(format!("{name} is {state}; failures: {:?}", told.failures)),
        }
    }

    fn task(&mut self, task: &'a TaskRecord, told: &ToldTask, whole: bool, of: &str) {
        let name = format!("{of}: {} of `{}`", STEP_NAMES[told.step], told.text);
        match (&told.ended, task.state) {
            (Ok((variant, text)), TaskState::Succeeded) => {
                let output: Value = serde_json::from_slice(task.output.as_deref().unwrap()).unwrap();
                let expected = match self.graph.steps[told.step].kind {
                    Kind::Task { .. } => serde_json::json!([variant, text]),
                    Kind::Run(_) if output.is_null() => Value::Null,
                    Kind::Run(_) | Kind::Wait(_) => serde_json::json!(text),
                };
                if output != expected {
                    self.wrong.push(format!("{name} gave {output}, not {expected}"));
                }
            }
            (Err(expected), TaskState::Failed) => {
                let message = task.failure.as_ref().map_or("", |failure| failure.message.as_str());
                if !expected.iter().any(|expected| message.ends_with(expected.as_str())) {
                    self.wrong.push(format!("{name} failed with `{message}`, not with one of {expected:?}"));
                }
            }
            (_, TaskState::Cancelled) if !whole => {}
            (ended, state) => self.wrong.push(format!("{name} is {state}, not {ended:?}")),
        }
        if task.state != TaskState::Cancelled && task.failures != told.failures {
            self.wrong.push(format!("{name} has failed {} times, not {}", task.failures, told.failures));
        }
        match (self.within.get(&task.id).copied(), &told.inner) {
            (Some(run), Some(told)) => self.run(run, told, whole),
            (None, None) => {}
            _ => self.wrong.push(format!("{name} has no run within it, or one too many")),
        }
    }

    /// What a task was given, as the reference says it.
    fn text(&self, task: &TaskRecord) -> String {
        let step = &self.graph.steps[step_of(task)];
        match step.kind {
            Kind::Wait(_) => String::new(),
            Kind::Run(_) => self.within.get(&task.id).map_or_else(String::new, |run| input(run)),
            Kind::Task { .. } if step.follows.is_some() => match serde_json::from_slice(&task.payload).unwrap() {
                // A step that follows a join may lead to itself.
                Value::Array(members) => joined(&members),
                payload => serde_json::from_value::<Act<1>>(payload).unwrap().text,
            },
            Kind::Task { .. } => serde_json::from_slice::<Act<1>>(&task.payload).unwrap().text,
        }
    }

    /// Who undoes what this run did, if anybody does.
    fn undoer(&self, run: &RunRecord) -> Option<RunId> {
        match (run.state, run.parent) {
            (RunState::Failed | RunState::Cancelled, _) => Some(run.id),
            (_, Some(step)) => self.undoer(self.runs[&self.tasks[&step].run?]),
            _ => None,
        }
    }

    /// What completed was undone, once, one by one, the newest first.
    fn undos(&mut self) {
        let mut expected = HashMap::<TaskId, (&TaskRecord, usize, RunId)>::new();
        for task in self.record.tasks.iter().filter(|task| !task.is_undo && task.state == TaskState::Succeeded) {
            let Some((by, only_first)) = self.graph.steps[step_of(task)].undo else { continue };
            let output: Value = serde_json::from_slice(task.output.as_deref().unwrap()).unwrap();
            let first = output.get(0).is_none_or(|variant| variant == 0);
            if let (true, Some(undoer)) = (first || !only_first, self.undoer(self.runs[&task.run.unwrap()])) {
                expected.insert(task.id, (task, by, undoer));
            }
        }
        let mut by_run = HashMap::<RunId, Vec<(&TaskRecord, RunId)>>::new();
        for undo in self.record.tasks.iter().filter(|task| task.is_undo) {
            let name = format!("{}, which undoes", STEP_NAMES[step_of(undo)]);
            let Some((step, by, undoer)) = undo.parent.and_then(|parent| expected.remove(&parent)) else {
                self.wrong.push(format!("{name} something that was not to be undone"));
                continue;
            };
            let name = format!("{name} {} of {}", STEP_NAMES[step_of(step)], step.id);
            let stumbles = match &self.graph.steps[by].kind {
                Kind::Task { outcomes, .. } => outcomes.iter().map(|Outcome { stumbles, .. }| *stumbles).sum(),
                _ => 0,
            };
            let (is, should) = ((undo.state, undo.failures), (TaskState::Succeeded, stumbles));
            if (step_of(undo), undo.run) != (by, Some(undoer)) || is != should {
                self.wrong.push(format!("{name} is {is:?}, not {should:?}"));
            }
            by_run.entry(undoer).or_default().push((undo, step.run.unwrap()));
        }
        for (step, ..) in expected.values() {
            self.wrong.push(format!("{} of {} was not undone", STEP_NAMES[step_of(step)], step.id));
        }
        self.order_of_undos(&by_run);
    }

    fn order_of_undos(&mut self, by_run: &HashMap<RunId, Vec<(&TaskRecord, RunId)>>) {
        // A handler that a death took the end of began again: its last end counts.
        let mut done = self.record.journal.done();
        done.reverse();
        let mut seen = HashSet::new();
        done.retain(|id| seen.insert(*id));
        for (run, undos) in by_run {
            let in_turn = self.in_turn.contains(run);
            let origins: HashSet<RunId> = undos.iter().map(|(_, origin)| *origin).collect();
            let groups: Vec<Option<RunId>> = if in_turn { vec![None] } else { origins.into_iter().map(Some).collect() };
            for group in groups {
                let of_group = |origin: &RunId| group.is_none_or(|group| group == *origin);
                // As they were added: when their steps completed.
                let added: Vec<TaskId> =
                    undos.iter().filter(|(_, origin)| of_group(origin)).map(|(undo, _)| undo.id).collect();
                // From the last to the first.
                let undone: Vec<TaskId> = done.iter().copied().filter(|id| added.contains(id)).collect();
                if undone != added {
                    self.wrong.push(format!("run {run} was undone in another order: {undone:?}, from {added:?}"));
                }
            }
        }
    }
}

/// Whether nothing of a run, and of those within, is beside anything else.
fn is_in_turn(told: &Told) -> bool {
    !told.parallel && told.tasks.iter().filter_map(|task| task.inner.as_ref()).all(is_in_turn)
}

fn step_of(task: &TaskRecord) -> usize {
    STEP_NAMES.iter().position(|name| Some(*name) == task.step.as_deref()).unwrap()
}

fn input(run: &RunRecord) -> String {
    serde_json::from_slice::<Sub<0>>(&run.input).unwrap().text
}
