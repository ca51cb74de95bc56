//! The static graph of a workflow, and its pictures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::registry::{Body, EdgeEntry, Registered, Target, WorkflowEntry};

/// What can follow what in a workflow, as it was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Graph {
    /// The workflow's name.
    pub name: String,
    /// Its steps, the first one first.
    pub steps: Vec<GraphStep>,
    /// Its edges, in the order in which they were written.
    pub edges: Vec<Edge>,
}

/// One step of a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphStep {
    /// The step's name.
    pub name: String,
    /// The name of the task that it runs.
    pub task: String,
}

/// One edge of a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edge {
    /// The step that ends.
    pub from: String,
    /// The arm as it was written: `on_ok(Charge::Captured(receipt))`.
    pub on: String,
    /// What follows.
    pub to: EdgeEnd,
    /// The pause before it, as it was written.
    pub after: Option<String>,
}

/// Where an [`Edge`] leads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EdgeEnd {
    /// To this step.
    Step(String),
    /// The run has its output.
    Done,
    /// The run fails.
    Fail,
    /// The run fails, and undoes what completed.
    Rollback,
    /// The branch ends.
    End,
}

impl Graph {
    pub(crate) fn of(entry: &WorkflowEntry) -> Self {
        let mut graph = Self { name: entry.name.to_owned(), steps: Vec::new(), edges: Vec::new() };
        match entry.body {
            Body::Block(steps) => {
                for step in steps {
                    graph.add(step.name, step.does_name(), step.edges);
                }
            }
            Body::Chain(first) => graph.follow(first()),
        }
        if let Some(end) = &entry.end {
            graph.add(end.name, end.name, end.edges);
            for edge in end.edges {
                if let Target::Work(work) = edge.to {
                    graph.follow(work());
                }
            }
        }
        graph
    }

    /// Adds a standing chain, each task once.
    fn follow(&mut self, first: Registered) {
        let mut found = vec![first];
        while let Some(registered) = found.pop() {
            if self.steps.iter().any(|step| step.name == registered.name()) {
                continue;
            }
            let edges = match registered {
                Registered::Task(task) => task.edges,
                Registered::Workflow(_) | Registered::Signal => &[],
            };
            self.add(registered.name(), registered.name(), edges);
            let mut next: Vec<_> = edges
                .iter()
                .filter_map(|edge| match edge.to {
                    Target::Work(work) => Some(work()),
                    _ => None,
                })
                .collect();
            next.reverse();
            found.append(&mut next);
        }
    }

    fn add(&mut self, name: &str, task: &str, edges: &[EdgeEntry]) {
        self.steps.push(GraphStep { name: name.to_owned(), task: task.to_owned() });
        self.edges.extend(edges.iter().map(|edge| Edge {
            from: name.to_owned(),
            on: edge.on.to_owned(),
            to: match edge.to {
                Target::Step(step) | Target::Each(step) | Target::Join(step) | Target::Undo(step) => {
                    EdgeEnd::Step(step.to_owned())
                }
                Target::Work(work) => EdgeEnd::Step(work().name().to_owned()),
                Target::Done => EdgeEnd::Done,
                Target::Fail => EdgeEnd::Fail,
                Target::Rollback => EdgeEnd::Rollback,
                Target::End => EdgeEnd::End,
            },
            after: edge.after.map(str::to_owned),
        }));
    }

    /// The graph in Mermaid's language, for a page or a README.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        let ids = self.ids();
        for step in &self.steps {
            line(&mut text, format_args!("    {}[\"{}\"]", ids[step.name.as_str()], mermaid_text(&label(step))));
        }
        let mut ends = Ends::default();
        for edge in &self.edges {
            let to = match &edge.to {
                EdgeEnd::Step(step) => ids.get(step.as_str()).cloned().unwrap_or_else(|| step.clone()),
                end => {
                    let (id, shape) = ends.next(end);
                    line(&mut text, format_args!("    {id}{shape}"));
                    id
                }
            };
            let from = &ids[edge.from.as_str()];
            line(&mut text, format_args!("    {from} -->|\"{}\"| {to}", mermaid_text(&edge.label())));
        }
        text
    }

    /// The graph in Graphviz's language: `dot -Tsvg`.
    pub fn dot(&self) -> String {
        let mut text = String::new();
        line(&mut text, format_args!("digraph {} {{", dot_text(&self.name)));
        line(&mut text, format_args!("    node [shape=box, style=rounded];"));
        for step in &self.steps {
            line(&mut text, format_args!("    {} [label={}];", dot_text(&step.name), dot_text(&label(step))));
        }
        let mut ends = Ends::default();
        for edge in &self.edges {
            let to = match &edge.to {
                EdgeEnd::Step(step) => dot_text(step),
                end => {
                    let (id, _) = ends.next(end);
                    let id = dot_text(&format!(":{id}"));
                    line(&mut text, format_args!("    {id} [label={}, shape=plaintext];", dot_text(end.word())));
                    id
                }
            };
            line(&mut text, format_args!("    {} -> {to} [label={}];", dot_text(&edge.from), dot_text(&edge.label())));
        }
        text.push_str("}\n");
        text
    }

    /// Mermaid has reserved words and no escapes in ids: each step gets a short one.
    fn ids(&self) -> BTreeMap<&str, String> {
        self.steps.iter().enumerate().map(|(nth, step)| (step.name.as_str(), format!("s{nth}"))).collect()
    }
}

impl Edge {
    fn label(&self) -> String {
        match &self.after {
            Some(after) => format!("{} after {after}", self.on),
            None => self.on.clone(),
        }
    }
}

impl EdgeEnd {
    const fn word(&self) -> &'static str {
        match self {
            Self::Step(_) => "",
            Self::Done => "done",
            Self::Fail => "fail",
            Self::Rollback => "rollback",
            Self::End => "end",
        }
    }
}

/// Each end of a run or branch is a node of its own, so that the picture does not tie branches together.
#[derive(Default)]
struct Ends {
    count: usize,
}

impl Ends {
    fn next(&mut self, end: &EdgeEnd) -> (String, String) {
        self.count += 1;
        (format!("e{}", self.count), format!("([\"{}\"])", end.word()))
    }
}

fn label(step: &GraphStep) -> String {
    if step.name == step.task { step.name.clone() } else { format!("{} = {}", step.name, step.task) }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a `String` does not fail.
    let _ = writeln!(text, "{line}");
}

fn mermaid_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

fn dot_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
