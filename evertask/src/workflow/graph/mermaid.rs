//! The graph in Mermaid's language. The text without a run is part of a workflow's fingerprint: it does not change.

use std::collections::BTreeMap;

use super::{EdgeEnd, Graph, RunProgress, StepState, line};

impl Graph {
    /// The graph in Mermaid's language, for a page or a README.
    pub fn mermaid(&self) -> String {
        self.write_mermaid(None)
    }

    /// The same with how far a run is: each step says its state, and has its colour.
    ///
    /// ```
    /// # use evertask::{prelude::*, workflow};
    /// # #[task]
    /// # async fn knock() -> Result<(), String> { Ok(()) }
    /// # workflow! { Visit<()> { knock { on_ok => end } } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dispatcher = evertask::Dispatcher::open("memory:").await?;
    /// let run = dispatcher.dispatch(Visit(())).await?;
    /// if let Some(progress) = dispatcher.progress(run.id()).await? {
    ///     assert!(Visit::graph().mermaid_of(&progress).contains("ready"));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn mermaid_of(&self, progress: &RunProgress) -> String {
        self.write_mermaid(Some(progress))
    }

    fn write_mermaid(&self, progress: Option<&RunProgress>) -> String {
        let mut text = String::new();
        if let Some(progress) = progress {
            line(&mut text, format_args!("---\ntitle: \"{}\"\n---", yaml_text(&progress.title())));
        }
        line(&mut text, format_args!("flowchart TD"));
        let ids = self.ids();
        for step in &self.steps {
            let id = &ids[step.name.as_str()];
            let label = mermaid_text(&step.label());
            match progress {
                Some(progress) => {
                    let said = progress.of(step);
                    line(&mut text, format_args!("    {id}[\"{label}<br/>{said}\"]:::{}", class(said.state())));
                }
                None => line(&mut text, format_args!("    {id}[\"{label}\"]")),
            }
        }
        let mut ends = 0;
        for edge in &self.edges {
            let to = match &edge.to {
                EdgeEnd::Step(step) => ids.get(step.as_str()).cloned().unwrap_or_else(|| step.clone()),
                // Each end is a node of its own, so that the picture does not tie branches together.
                end => {
                    ends += 1;
                    line(&mut text, format_args!("    e{ends}([\"{}\"])", end.word()));
                    format!("e{ends}")
                }
            };
            let from = &ids[edge.from.as_str()];
            line(&mut text, format_args!("    {from} -->|\"{}\"| {to}", mermaid_text(&edge.label())));
        }
        if progress.is_some() {
            for state in StepState::ALL {
                let (fill, stroke, ink) = state.colours();
                let class = class(state);
                line(&mut text, format_args!("    classDef {class} fill:{fill},stroke:{stroke},color:{ink}"));
            }
        }
        text
    }

    /// Mermaid has reserved words and no escapes in ids: each step gets a short one.
    fn ids(&self) -> BTreeMap<&str, String> {
        self.steps.iter().enumerate().map(|(nth, step)| (step.name.as_str(), format!("s{nth}"))).collect()
    }
}

/// A class has one word.
fn class(state: StepState) -> String {
    state.as_str().replace(' ', "_")
}

fn mermaid_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

fn yaml_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(char::is_control, " ")
}
