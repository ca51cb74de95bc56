//! The picture of a workflow for its documentation, in Mermaid's language. The runtime draws the same of its entry,
//! where standing chains are known too.

use std::fmt::Write as _;

use quote::ToTokens as _;

use super::attribute::model as attribute;
use super::block::model::{Does, Workflow};
use crate::arms::written::{written, written_type};
use crate::arms::{After, Arm, Linked, TargetKind, last_word};

/// A flow chart, line by line.
struct Chart {
    text: String,
    ends: usize,
}

impl Chart {
    fn new() -> Self {
        Self { text: "flowchart TD\n".to_owned(), ends: 0 }
    }

    fn node(&mut self, number: usize, label: &str) {
        self.line(&format!("s{number}[\"{}\"]", escaped(label)));
    }

    fn edge(&mut self, from: usize, label: &str, to: &str) {
        self.line(&format!("s{from} -->|\"{}\"| {to}", escaped(label)));
    }

    /// Each end is a node of its own, so that the picture does not tie branches together.
    fn end(&mut self, word: &str) -> String {
        self.ends += 1;
        let end = format!("e{}", self.ends);
        self.line(&format!("{end}([\"{word}\"])"));
        end
    }

    /// The edges of the arms of a step.
    fn arms(&mut self, from: usize, arms: &[Arm<Linked>], node: impl Fn(usize) -> usize) {
        for (arm, target) in arms.iter().flat_map(|arm| arm.targets.iter().map(move |target| (arm, target))) {
            let mut label = arm.written.clone();
            let to = match &target.kind {
                TargetKind::Work { to, .. } => format!("s{}", node(to.number)),
                TargetKind::Each { to, .. } => {
                    label.push_str(", each");
                    format!("s{}", node(to.number))
                }
                TargetKind::Done { .. } => self.end("done"),
                TargetKind::Fail { .. } => self.end("fail"),
                TargetKind::End { .. } => self.end("end"),
                TargetKind::Rollback { .. } => self.end("rollback"),
            };
            match &target.after {
                Some(After::Text(text)) => label.extend([" after ", &text.value()]),
                Some(After::Value(value)) => label.extend([" after ", &written(value.to_token_stream())]),
                None => {}
            }
            if let Some(limit) = &target.limit {
                let _ = write!(label, " limit {}", limit.number);
            }
            self.edge(from, &label, &to);
        }
    }

    fn line(&mut self, line: &str) {
        self.text.extend(["    ", line, "\n"]);
    }

    /// As a part of the documentation.
    fn docs(self) -> String {
        format!("\n```mermaid\n{}```", self.text)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The picture of a block.
pub(crate) fn of_block(workflow: &Workflow) -> String {
    let mut chart = Chart::new();
    for (number, step) in workflow.steps.iter().enumerate() {
        let name = step.stored_name();
        let label = match &step.does {
            Does::Work { path, is_alias: true } => format!("{name} = {}", written(path.to_token_stream())),
            Does::Work { .. } => name,
            Does::Wait { of, .. } => format!("wait {name}: {}", written_type(of)),
        };
        chart.node(number, &label);
    }
    for (number, step) in workflow.steps.iter().enumerate() {
        chart.arms(number, &step.arms, |number| number);
        if let Some(join) = workflow.join_of(number) {
            let label = if join.settled { "join all settled" } else { "join" };
            chart.edge(number, label, &format!("s{}", join.then.number));
        }
    }
    chart.docs()
}

/// The picture of the attribute form: its start, and its own arms. Where the tasks lead is for them to say.
pub(crate) fn of_attribute(workflow: &attribute::Workflow) -> String {
    let mut chart = Chart::new();
    chart.node(0, &workflow.stored_name());
    for (number, work) in workflow.works.iter().enumerate() {
        chart.node(number + 1, &last_word(&work.path).to_string());
    }
    if let Some((_, to, _)) = workflow.start() {
        chart.edge(0, "start", &format!("s{}", to.number + 1));
    }
    chart.arms(0, &workflow.arms, |number| number + 1);
    chart.docs()
}
