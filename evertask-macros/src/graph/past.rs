//! What has completed whenever a step begins: dominance, where a join waits for all of its members.

use super::{After, Flow, Path, To};

/// The steps that a run may come to without a certain step having completed.
pub(crate) struct Without {
    reached: Vec<Reached>,
}

/// How a step was reached.
#[derive(Clone, Copy, PartialEq)]
enum Reached {
    No,
    /// A run starts here.
    AtStart,
    /// From this step, along this way.
    From(usize, usize),
}

impl Without {
    /// A way to this step on which the other one did not complete, if there is one.
    pub(crate) fn path(&self, step: usize) -> Option<Path> {
        let from = |step: usize| match self.reached[step] {
            Reached::From(before, way) => Some((before, way)),
            Reached::No | Reached::AtStart => None,
        };
        (self.reached[step] != Reached::No).then(|| Path::back_from(step, from))
    }
}

impl Flow {
    /// The steps behind an `each` that no join has brought together: they run once for each item, side by side.
    pub(crate) fn behind_each(&self) -> Vec<bool> {
        let mut behind = vec![false; self.steps.len()];
        let ways = self.steps.iter().flatten().filter(|way| way.after != After::Undo);
        let mut open: Vec<usize> = ways
            .flat_map(|way| &way.to)
            .filter_map(|to| if let To::Each(step) = to { Some(*step) } else { None })
            .collect();
        let mut met = vec![false; self.steps.len()];
        while let Some(from) = open.pop() {
            if std::mem::replace(&mut met[from], true) {
                continue;
            }
            for to in self.steps[from].iter().filter(|way| way.after != After::Undo).flat_map(|way| &way.to) {
                self.visit();
                if let To::Step(to) | To::Each(to) = to {
                    behind[*to] = true;
                    open.push(*to);
                }
            }
        }
        behind
    }

    /// Where a run may come without `step` having completed.
    pub(crate) fn without(&self, step: usize) -> Without {
        let mut reached = vec![Reached::No; self.steps.len()];
        let mut missing: Vec<usize> = self.joins.iter().map(|join| join.members.len()).collect();
        let mut arrived: Vec<Option<usize>> = vec![None; self.steps.len()];
        let mut open = std::collections::VecDeque::new();
        if let Some(start) = reached.first_mut() {
            *start = Reached::AtStart;
            open.push_back(0);
        }
        while let Some(from) = open.pop_front() {
            for (number, way) in self.steps[from].iter().enumerate() {
                if from == step && matches!(way.after, After::Ok | After::Undo) {
                    continue;
                }
                for to in &way.to {
                    self.visit();
                    let mut by = (from, number);
                    if let To::Join(join) = to {
                        if arrived[from].replace(number).is_some() {
                            continue;
                        }
                        missing[*join] = missing[*join].saturating_sub(1);
                        if missing[*join] > 0 {
                            continue;
                        }
                        // The way that says most is that of the step itself, where it may have failed.
                        if let Some(way) = arrived[step].filter(|_| self.joins[*join].members.contains(&step)) {
                            by = (step, way);
                        }
                    }
                    if let Some(to) = self.step_of(*to)
                        && reached[to] == Reached::No
                    {
                        reached[to] = Reached::From(by.0, by.1);
                        open.push_back(to);
                    }
                }
            }
        }
        Without { reached }
    }
}
