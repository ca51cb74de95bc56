//! The graph in Graphviz's language.

use super::{EdgeEnd, Graph, RunProgress, line};

impl Graph {
    /// The graph in Graphviz's language: `dot -Tsvg`.
    pub fn dot(&self) -> String {
        self.write_dot(None)
    }

    /// The same with how far a run is: each step says its state, and has its colour.
    pub fn dot_of(&self, progress: &RunProgress) -> String {
        self.write_dot(Some(progress))
    }

    fn write_dot(&self, progress: Option<&RunProgress>) -> String {
        let mut text = String::new();
        line(&mut text, format_args!("digraph {} {{", dot_text(&self.name)));
        if let Some(progress) = progress {
            line(&mut text, format_args!("    label={};", dot_text(&progress.title())));
        }
        line(&mut text, format_args!("    node [shape=box, style=rounded];"));
        for step in &self.steps {
            let (name, label) = (dot_text(&step.name), step.label());
            match progress {
                Some(progress) => {
                    let said = progress.of(step);
                    let (fill, stroke, ink) = said.state().colours();
                    let label = dot_text(&format!("{label}\n{said}"));
                    line(
                        &mut text,
                        format_args!(
                            "    {name} [label={label}, style=\"rounded,filled\", fillcolor=\"{fill}\", \
                             color=\"{stroke}\", fontcolor=\"{ink}\"];"
                        ),
                    );
                }
                None => line(&mut text, format_args!("    {name} [label={}];", dot_text(&label))),
            }
        }
        let mut ends = 0;
        for edge in &self.edges {
            let to = match &edge.to {
                EdgeEnd::Step(step) => dot_text(step),
                // Each end is a node of its own, so that the picture does not tie branches together.
                end => {
                    ends += 1;
                    let id = dot_text(&format!(":e{ends}"));
                    line(&mut text, format_args!("    {id} [label={}, shape=plaintext];", dot_text(end.word())));
                    id
                }
            };
            line(&mut text, format_args!("    {} -> {to} [label={}];", dot_text(&edge.from), dot_text(&edge.label())));
        }
        text.push_str("}\n");
        text
    }
}

/// A line that breaks is written as `\n`, which Graphviz breaks too.
fn dot_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
