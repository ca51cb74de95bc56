//! Every way through a workflow with an output ends in exactly one, or in a failure.

use super::{Flow, Path, To};

/// A way that is wrong, and the target (step, way, number in the list) where it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) at: (usize, usize, usize),
    pub(crate) path: Path,
}

impl Flow {
    /// The ways that may end without an output.
    pub(crate) fn without_output(&self) -> Vec<Wrong> {
        let of = self.joins_of_steps();
        let none = self.may_give_none(&of);
        let (mut found, mut met) = (Vec::new(), vec![false; self.steps.len()]);
        let mut open = vec![(0, Path::default())];
        while let Some((step, path)) = open.pop() {
            if !none.get(step).copied().unwrap_or(false) || std::mem::replace(&mut met[step], true) {
                continue;
            }
            let mut onward = Vec::new();
            for (number, way) in self.steps[step].iter().enumerate() {
                self.visit();
                if !way.goes_on() || !way.to.iter().all(|to| self.gives_none(step, *to, &of, &none)) {
                    continue;
                }
                let here = path.clone().with(step, Some(number));
                // One mistake is one error: of parallel branches, the first that decides.
                let is_counted = |to: &To| match to {
                    To::Step(to) | To::Each(to) => self.is_first_member(*to, &of),
                    To::Join(join) => self.joins[*join].members.first() == Some(&step),
                    _ => true,
                };
                let Some(at) = way.to.iter().position(is_counted) else { continue };
                match way.to[at] {
                    To::Step(to) => onward.push((to, here)),
                    To::Each(to) if of[to].is_some() => onward.push((to, here)),
                    To::Join(join) => onward.push((self.joins[join].then, here)),
                    end => found.push(Wrong { at: (step, number, at), path: Path { end: Some(end), ..here } }),
                }
            }
            open.extend(onward.into_iter().rev());
        }
        found
    }

    /// Whether a step's own output is counted: of the members of a join, the first goes on for all.
    fn is_first_member(&self, step: usize, of: &[Option<usize>]) -> bool {
        of[step].is_none_or(|join| self.joins[join].members.first() == Some(&step))
    }

    fn gives_none(&self, from: usize, to: To, of: &[Option<usize>], none: &[bool]) -> bool {
        match to {
            To::Step(to) => none[to],
            To::Each(to) => of[to].is_none() || none[to],
            To::Join(join) => self.joins[join].members.first() != Some(&from) || none[self.joins[join].then],
            To::End => true,
            To::Done | To::MayBeDone | To::Fails => false,
        }
    }

    fn may_give_none(&self, of: &[Option<usize>]) -> Vec<bool> {
        let leading = self.leading();
        let mut none = vec![false; self.steps.len()];
        let mut open: Vec<usize> = (0..self.steps.len()).collect();
        while let Some(step) = open.pop() {
            if none[step] {
                continue;
            }
            let ends = |to: &To| {
                self.visit();
                self.gives_none(step, *to, of, &none)
            };
            if self.steps[step].iter().any(|way| way.goes_on() && way.to.iter().all(ends)) {
                none[step] = true;
                open.extend(leading[step].iter().map(|(from, _)| *from));
            }
        }
        none
    }

    /// The ways that give an output twice.
    pub(crate) fn with_two_outputs(&self) -> Vec<(Wrong, Path)> {
        let of = self.joins_of_steps();
        let most = self.most_outputs(&of);
        let (mut found, mut met) = (Vec::new(), vec![false; self.steps.len()]);
        let mut open = vec![(0, Path::default())];
        while let Some((step, path)) = open.pop() {
            if most.get(step).is_none_or(|most| *most < 2) || std::mem::replace(&mut met[step], true) {
                continue;
            }
            for (number, way) in self.steps[step].iter().enumerate() {
                self.visit();
                if !way.goes_on() {
                    continue;
                }
                let gives = |to: &To| self.outputs(step, *to, &of, &most);
                if way.to.iter().map(gives).sum::<u8>() < 2 {
                    continue;
                }
                let here = path.clone().with(step, Some(number));
                let giving: Vec<usize> = (0..way.to.len()).filter(|at| gives(&way.to[*at]) > 0).collect();
                match giving.as_slice() {
                    [one, .., two] => {
                        let first = self.to_output(&here, way.to[*one], &most);
                        let second = self.to_output(&here, way.to[*two], &most);
                        found.push((Wrong { at: (step, number, *two), path: second }, first));
                    }
                    [only] => match self.step_of(way.to[*only]) {
                        Some(to) if most[to] >= 2 => open.push((to, here)),
                        _ => {
                            let path = self.to_output(&here, way.to[*only], &most);
                            found.push((Wrong { at: (step, number, *only), path: path.clone() }, path));
                        }
                    },
                    [] => {}
                }
            }
        }
        found
    }

    /// On along a target, to the first output.
    fn to_output(&self, path: &Path, to: To, most: &[u8]) -> Path {
        let (mut path, mut to) = (path.clone(), to);
        let mut met = vec![false; self.steps.len()];
        while let Some(step) = self.step_of(to) {
            let gives = |to: &To| *to == To::Done || self.step_of(*to).is_some_and(|to| most[to] > 0);
            let on = self.steps[step].iter().enumerate().filter(|(_, way)| way.goes_on()).find_map(|(number, way)| {
                let done = way.to.iter().find(|to| **to == To::Done);
                Some((number, *done.or_else(|| way.to.iter().find(|to| gives(to)))?))
            });
            match on {
                Some((way, next)) if !std::mem::replace(&mut met[step], true) => {
                    path = path.with(step, Some(way));
                    to = next;
                }
                _ => return path.with(step, None),
            }
        }
        path.end = Some(to);
        path
    }

    fn outputs(&self, from: usize, to: To, of: &[Option<usize>], most: &[u8]) -> u8 {
        match to {
            To::Done => 1,
            To::Step(to) => most[to],
            To::Each(to) if of[to].is_some() => most[to],
            To::Each(to) => {
                if most[to] > 0 {
                    2
                } else {
                    0
                }
            }
            To::Join(join) if self.joins[join].members.first() == Some(&from) => most[self.joins[join].then],
            To::Join(_) | To::MayBeDone | To::Fails | To::End => 0,
        }
    }

    /// How many outputs a step leads to, at most; two are as many as more.
    fn most_outputs(&self, of: &[Option<usize>]) -> Vec<u8> {
        let leading = self.leading();
        let mut most = vec![0; self.steps.len()];
        let mut open: Vec<usize> = (0..self.steps.len()).collect();
        while let Some(step) = open.pop() {
            let ways = self.steps[step].iter().filter(|way| way.goes_on());
            let sum = |to: &[To]| {
                to.iter().fold(0_u8, |sum, to| {
                    self.visit();
                    sum.saturating_add(self.outputs(step, *to, of, &most)).min(2)
                })
            };
            let now = ways.map(|way| sum(&way.to)).max().unwrap_or(0);
            if now > most[step] {
                most[step] = now;
                open.extend(leading[step].iter().map(|(from, _)| *from));
            }
        }
        most
    }
}
