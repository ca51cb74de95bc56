//! The static graph of a workflow, and its pictures: `mermaid` and `dot` write it for other programs to draw, and `svg`
//! draws it, where `layout` says. `progress` is how far a run is, which all three can show.

mod dot;
mod layout;
mod mermaid;
mod progress;
mod svg;
#[cfg(test)]
mod tests;

pub use progress::{RunProgress, StepProgress, StepState};

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
    /// Names that it had, under which the tasks of a run may be stored.
    pub was: Vec<String>,
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
    /// How it follows.
    pub kind: EdgeKind,
    /// How many tasks of an `each` run at once, or how often a run may take the step.
    pub limit: Option<u32>,
    /// The pause before it, as it was written.
    pub after: Option<String>,
}

/// How the end of one step leads to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EdgeKind {
    /// Once.
    Once,
    /// Once for each item.
    Each,
    /// When the other members of the join have ended too.
    Join,
    /// If the run fails.
    Undo,
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
                    graph.add(step.name, step.does_name(), step.was, step.edges);
                }
            }
            Body::Chain(first) => graph.follow(first()),
        }
        if let Some(end) = &entry.end {
            graph.add(end.name, end.name, end.was, end.edges);
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
            let (was, edges) = match registered {
                Registered::Task(task) => (task.was, task.edges),
                Registered::Workflow(workflow) => (workflow.was, &[][..]),
                Registered::Signal => (&[][..], &[][..]),
            };
            self.add(registered.name(), registered.name(), was, edges);
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

    fn add(&mut self, name: &str, task: &str, was: &[&str], edges: &[EdgeEntry]) {
        let was = was.iter().map(|&was| was.to_owned()).collect();
        self.steps.push(GraphStep { name: name.to_owned(), task: task.to_owned(), was });
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
            kind: match edge.to {
                Target::Each(_) => EdgeKind::Each,
                Target::Join(_) => EdgeKind::Join,
                Target::Undo(_) => EdgeKind::Undo,
                _ => EdgeKind::Once,
            },
            limit: edge.limit,
            after: edge.after.map(str::to_owned),
        }));
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

impl GraphStep {
    fn label(&self) -> String {
        if self.name == self.task { self.name.clone() } else { format!("{} = {}", self.name, self.task) }
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.push_str(&line.to_string());
    text.push('\n');
}
