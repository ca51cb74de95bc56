//! What can be asked for by name, from outside of the program.

use super::{Body, Does, Registry};

/// A step that waits for a signal: its name of today, and those that it had.
type SignalStep = (&'static str, &'static [&'static str]);

/// A workflow that this program does not know.
pub(crate) struct Unknown;

impl Registry {
    /// The names under which something can be dispatched, earlier ones included.
    pub(crate) fn dispatchable(&self) -> impl Iterator<Item = &'static str> {
        self.tasks.keys().chain(self.workflows.keys()).chain(self.renamed.keys()).copied()
    }

    /// The step of this workflow that waits for a signal and has this name, or had it.
    pub(crate) fn signal(&self, workflow: &str, step: &str) -> Result<Option<SignalStep>, Unknown> {
        let workflow = self.workflows.get(self.today(workflow)).ok_or(Unknown)?;
        let Body::Block(steps) = workflow.body else { return Ok(None) };
        let waits = steps.iter().filter(|entry| matches!(entry.does, Does::Signal));
        let mut found = waits.filter(|entry| entry.names().any(|name| name == step));
        Ok(found.next().map(|entry| (entry.name, entry.was)))
    }
}
