//! The graph of a block, by numbers: pure rules, which know nothing of names and words.
//!
//! `circles` finds what goes round, `doubled` what runs twice side by side, `past` what has completed on every way,
//! `joins` what could wait for ever, and `outputs` the ways without an output, or with two. Each looks at an edge a
//! bounded number of times.

mod circles;
mod doubled;
mod joins;
mod outputs;
mod past;
#[cfg(test)]
mod tests;

use std::cell::Cell;

pub(crate) use circles::{circles, reachable};
pub(crate) use joins::Lost;
pub(crate) use past::Without;

/// The steps of a block, and what follows them. A run starts with step 0.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// The ways on from each step.
    pub(crate) steps: Vec<Vec<Way>>,
    pub(crate) joins: Vec<Join>,
    /// How many edges were looked at so far.
    pub(crate) visits: Cell<usize>,
}

/// One of the ways on from a step, of which a run takes one.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) after: After,
    /// All of these follow.
    pub(crate) to: Vec<To>,
}

/// How the step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Ok,
    Failure,
    Cancel,
    /// It completed, and is undone: no way of a run that goes on.
    Undo,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Step(usize),
    /// A step for each item, of which there may be none.
    Each(usize),
    /// The join has this member's output.
    Join(usize),
    /// The run has its output.
    Done,
    /// The run may have its output: only the types know.
    MayBeDone,
    /// The run fails.
    Fails,
    /// The branch ends.
    End,
}

/// A join: all members arrive, then a step follows.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) members: Vec<usize>,
    pub(crate) then: usize,
}

/// A way through the graph: each step with the way that was taken from it, and where it ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Path {
    pub(crate) steps: Vec<(usize, Option<usize>)>,
    pub(crate) end: Option<To>,
}

impl Path {
    fn with(mut self, step: usize, way: Option<usize>) -> Self {
        self.steps.push((step, way));
        self
    }

    /// The path that ends at a step, given where each step was reached from, and along which way.
    fn back_from(step: usize, reached_from: impl Fn(usize) -> Option<(usize, usize)>) -> Self {
        let mut steps = vec![(step, None)];
        let mut at = step;
        while let Some((before, way)) = reached_from(at) {
            steps.push((before, Some(way)));
            at = before;
        }
        steps.reverse();
        Self { steps, end: None }
    }
}

impl Flow {
    /// Edges and steps: what the work of each rule is measured by.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        self.steps.len() + self.steps.iter().flatten().map(|way| way.to.len() + 1).sum::<usize>()
    }

    fn visit(&self) {
        self.visits.set(self.visits.get() + 1);
    }

    /// The join that a step is a member of.
    fn joins_of_steps(&self) -> Vec<Option<usize>> {
        let mut of = vec![None; self.steps.len()];
        for (number, join) in self.joins.iter().enumerate() {
            for member in &join.members {
                of[*member].get_or_insert(number);
            }
        }
        of
    }

    /// The step that a target leads to, in the end.
    fn step_of(&self, to: To) -> Option<usize> {
        match to {
            To::Step(step) | To::Each(step) => Some(step),
            To::Join(join) => Some(self.joins[join].then),
            _ => None,
        }
    }

    /// The ways that lead to each step, as (step, way).
    fn leading(&self) -> Vec<Vec<(usize, usize)>> {
        let mut leading = vec![Vec::new(); self.steps.len()];
        for (from, ways) in self.steps.iter().enumerate() {
            for (way, to) in ways.iter().enumerate().flat_map(|(number, way)| way.to.iter().map(move |to| (number, to)))
            {
                self.visit();
                if let Some(to) = self.step_of(*to) {
                    leading[to].push((from, way));
                }
            }
        }
        leading
    }
}

impl Way {
    fn fails(&self) -> bool {
        self.to.contains(&To::Fails)
    }

    /// Whether a run that is not stopped may take it.
    fn goes_on(&self) -> bool {
        matches!(self.after, After::Ok | After::Failure) && !self.fails()
    }
}

/// The numbers of those that repeat an earlier one, each with the number of the first.
pub(crate) fn repeated<T: PartialEq>(values: &[T]) -> Vec<(usize, usize)> {
    values
        .iter()
        .enumerate()
        .filter_map(|(at, value)| {
            let first = values.iter().position(|other| other == value)?;
            (first < at).then_some((at, first))
        })
        .collect()
}
