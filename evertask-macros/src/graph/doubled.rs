//! Steps that two branches lead to which run side by side: there are two tasks of them, and nobody can say which of
//! the two a join, or an arm, means.

use std::collections::VecDeque;

use super::{After, Flow, Path, To, Way};

impl Flow {
    /// Two ways to this step, from the same list, if there are any.
    pub(crate) fn doubled(&self, step: usize) -> Option<[Path; 2]> {
        let leads = self.leads_to(step);
        for (fork, ways) in self.steps.iter().enumerate() {
            for (number, way) in ways.iter().enumerate().filter(|(_, way)| is_taken_whole(way)) {
                let mut branches: Vec<usize> = way.to.iter().filter_map(|to| self.goes_on_to(fork, *to)).collect();
                branches.retain(|branch| leads[*branch]);
                branches.dedup();
                if branches.len() < 2 {
                    continue;
                }
                // A way that comes back to the list is of the next round.
                let mut found = branches.iter().filter_map(|branch| self.way_past(fork, *branch, step));
                if let (Some(one), Some(two)) = (found.next(), found.next()) {
                    return Some([one, two].map(|mut path| {
                        path.steps.insert(0, (fork, Some(number)));
                        path
                    }));
                }
            }
        }
        None
    }

    /// The step that follows along an edge. What follows a join does so once: after its first member.
    fn goes_on_to(&self, from: usize, to: To) -> Option<usize> {
        match to {
            To::Join(join) if self.joins[join].members.first() != Some(&from) => None,
            to => self.step_of(to),
        }
    }

    /// Which steps may lead to this one.
    fn leads_to(&self, step: usize) -> Vec<bool> {
        let mut leads = vec![false; self.steps.len()];
        let leading = self.leading_once();
        let mut open = vec![step];
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut leads[at], true) {
                open.extend(&leading[at]);
            }
        }
        leads
    }

    fn leading_once(&self) -> Vec<Vec<usize>> {
        let mut leading = vec![Vec::new(); self.steps.len()];
        for (from, ways) in self.steps.iter().enumerate() {
            for to in ways.iter().filter(|way| is_taken_whole(way)).flat_map(|way| &way.to) {
                self.visit();
                if let Some(to) = self.goes_on_to(from, *to) {
                    leading[to].push(from);
                }
            }
        }
        leading
    }

    /// A way from a step to another that does not come by a third.
    fn way_past(&self, third: usize, from: usize, to: usize) -> Option<Path> {
        let mut before: Vec<Option<(usize, usize)>> = vec![None; self.steps.len()];
        let mut met = vec![false; self.steps.len()];
        met[third] = true;
        let mut open = VecDeque::from([from]);
        if std::mem::replace(&mut met[from], true) {
            return None;
        }
        while let Some(step) = open.pop_front() {
            if step == to {
                return Some(Path::back_from(step, |step| before[step]));
            }
            for (number, way) in self.steps[step].iter().enumerate().filter(|(_, way)| is_taken_whole(way)) {
                for next in way.to.iter().filter_map(|to| self.goes_on_to(step, *to)) {
                    self.visit();
                    if !std::mem::replace(&mut met[next], true) {
                        before[next] = Some((step, number));
                        open.push_back(next);
                    }
                }
            }
        }
        None
    }
}

/// Whether all that the way leads to runs: not where the run fails.
fn is_taken_whole(way: &Way) -> bool {
    way.after != After::Undo && !way.fails()
}
