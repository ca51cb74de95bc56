//! The shape of what is stored, as values: made of a registry, or read back from its text.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::registry::{Body, Does, EdgeEntry, JoinEntry, Registry, StepEntry, Target, TaskEntry, WorkflowEntry};

/// Everything that is registered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) tasks: BTreeMap<String, Stored>,
    pub(super) workflows: BTreeMap<String, Flow>,
}

/// What is stored of a task or a workflow under its name: the payload, and what follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) was: Vec<String>,
    pub(super) fields: Vec<Field>,
    /// What `#[serde(..)]` says of all of it.
    pub(super) serde: String,
    /// Its own arms.
    pub(super) edges: Vec<String>,
}

/// A field of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) of: String,
    /// What `#[serde(..)]` says of it.
    pub(super) serde: String,
}

/// A workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) stored: Stored,
    pub(super) version: String,
    pub(super) timeout: Option<String>,
    pub(super) promises: Option<String>,
    pub(super) starts: String,
    /// By the step that each leads to.
    pub(super) joins: BTreeMap<String, Join>,
    pub(super) steps: BTreeMap<String, Step>,
}

/// A join.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Join {
    pub(super) settled: bool,
    pub(super) members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) each: bool,
    pub(super) step: String,
}

/// A step of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) was: Vec<String>,
    pub(super) does: Doing,
    /// How long it waits for its signal.
    pub(super) patience: Option<String>,
    /// The earlier steps whose outputs its arms name, and `input`.
    pub(super) reads: Vec<String>,
    pub(super) edges: Vec<String>,
}

/// What a step does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Doing {
    #[default]
    Nothing,
    Task(String),
    Workflow(String),
    /// It waits for a value of this type.
    Wait(String),
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Task(name) => write!(f, "task {name}"),
            Self::Workflow(name) => write!(f, "workflow {name}"),
            Self::Wait(of) => write!(f, "wait {of}"),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.each { "each " } else { "" }, self.step)
    }
}

impl Shape {
    pub(super) fn of(registry: &Registry) -> Self {
        let mut shape = Self::default();
        shape.tasks.extend(registry.tasks().map(|entry| (line(entry.name), Stored::of_task(entry))));
        shape.workflows.extend(registry.workflows().map(|entry| (line(entry.name), Flow::of(entry))));
        shape
    }
}

impl Stored {
    fn of_task(entry: &TaskEntry) -> Self {
        Self::of(entry.was, entry.fields, entry.serde, entry.edges)
    }

    fn of(was: &[&str], fields: &[(&str, &str)], serde: &[(&str, &str)], arms: &[EdgeEntry]) -> Self {
        let said = |name: &str| serde.iter().find(|(of, _)| *of == name).map_or(String::new(), |(_, said)| line(said));
        let field = |&(name, of): &(&str, &str)| Field { name: line(name), of: line(of), serde: said(name) };
        Self { was: names(was), fields: fields.iter().map(field).collect(), serde: said(""), edges: edges(arms) }
    }
}

impl Flow {
    pub(super) fn of(entry: &WorkflowEntry) -> Self {
        let arms = entry.end.as_ref().map_or(&[][..], |end| end.edges);
        let mut flow = Self {
            stored: Stored::of(entry.was, entry.fields, entry.serde, arms),
            version: entry.version.to_string(),
            timeout: entry.timeout.map(duration),
            promises: entry.promises.map(line),
            ..Self::default()
        };
        match entry.body {
            Body::Chain(first) => flow.starts = line(first().name()),
            Body::Block(steps) => {
                flow.starts = steps.first().map_or(String::new(), |first| line(first.name));
                flow.steps.extend(steps.iter().map(|step| (line(step.name), Step::of(step))));
            }
        }
        flow.joins.extend(entry.joins.iter().map(|join| (line(join.name), Join::of(join))));
        flow
    }
}

impl Join {
    fn of(entry: &JoinEntry) -> Self {
        let members = entry.members.iter().map(|&(step, each)| Member { each, step: line(step.name) });
        Self { settled: entry.settled, members: members.collect() }
    }
}

impl Step {
    fn of(entry: &StepEntry) -> Self {
        let does = match entry.does {
            Does::Task(task) => Doing::Task(line(task().name)),
            Does::Workflow(workflow) => Doing::Workflow(line(workflow().name)),
            Does::Signal => Doing::Wait(entry.value.map_or(String::new(), line)),
        };
        let mut reads = names(entry.earlier);
        if entry.asks_input {
            reads.push("input".to_owned());
        }
        let patience = entry.patience.map(duration);
        Self { was: names(entry.was), does, patience, reads, edges: edges(entry.edges) }
    }
}

fn edges(edges: &[EdgeEntry]) -> Vec<String> {
    edges.iter().map(edge).collect()
}

/// An edge as it would be written.
fn edge(edge: &EdgeEntry) -> String {
    let to = match edge.to {
        Target::Step(step) | Target::Undo(step) => step.to_owned(),
        Target::Each(step) => format!("each {step}"),
        Target::Join(step) => format!("join {step}"),
        Target::Rollback => "rollback".to_owned(),
        Target::Work(work) => work().name().to_owned(),
        Target::Done => "done".to_owned(),
        Target::Fail => "fail".to_owned(),
        Target::End => "end".to_owned(),
    };
    let mut text = format!("{} => {to}", edge.on);
    if let Some(after) = edge.after {
        text.extend([" after ", after]);
    }
    if let Some(limit) = edge.limit {
        text.extend([" limit ", &limit.to_string()]);
    }
    line(&text)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| line(name)).collect()
}

/// As it would be written: `3d`.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let unit = [("d", 86_400), ("h", 3_600), ("m", 60)].into_iter().find(|(_, unit)| seconds.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) if seconds > 0 && duration.subsec_nanos() == 0 => format!("{}{name}", seconds / unit),
        _ => format!("{duration:?}"),
    }
}

/// A text on one line, whatever is in it.
fn line(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() { kept.extend(character.escape_default()) } else { kept.push(character) }
    }
    kept
}
