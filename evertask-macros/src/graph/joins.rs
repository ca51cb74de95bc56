//! Joins that could wait for ever: a member may not run where another one does.

use std::collections::VecDeque;

use super::{After, Flow, Join, Path, To, Way};

/// What a join could wait for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// This member may end in another way than by arriving.
    Astray { member: usize, path: Path },
    /// This member may not run, along this way, where another one does.
    MayNotRun { member: usize, path: Path },
    /// This member does not run where another one does, which is at the end of this way.
    Elsewhere { member: usize, other: usize, path: Path },
}

/// From which steps a member runs, whatever happens but a failure of the run.
struct Sure {
    member: usize,
    /// The way on which it may not, and how many were lost before.
    lost: Vec<Option<(usize, usize)>>,
}

impl Sure {
    fn is(&self, step: usize) -> bool {
        self.lost[step].is_none()
    }
}

impl Flow {
    /// What keeps a join from being complete, member by member.
    pub(crate) fn lost(&self, join: &Join) -> Vec<Lost> {
        let of = self.joins_of_steps();
        let leading = self.leading();
        let sure: Vec<Sure> = join.members.iter().map(|member| self.sure(*member, &of, &leading)).collect();
        let astray: Vec<Lost> = sure
            .iter()
            .filter(|sure| !sure.is(sure.member))
            .map(|sure| Lost::Astray { member: sure.member, path: self.astray(sure.member, sure, Path::default()) })
            .collect();
        if !astray.is_empty() {
            return astray;
        }
        let starts_all = |to: &[To]| sure.iter().all(|sure| to.iter().any(|to| self.leads(*to, sure, &of)));
        if starts_all(&[To::Step(0)]) {
            return Vec::new();
        }
        let Some((member, path)) = self.bypass(join, &starts_all) else { return Vec::new() };
        vec![self.explain(&sure, &of, member, path)]
    }

    /// Whether a target comes to the member for sure.
    fn leads(&self, to: To, sure: &Sure, of: &[Option<usize>]) -> bool {
        match to {
            // Where there are no items, only a join goes on.
            To::Each(step) => (step == sure.member || of[step].is_some()) && sure.is(step),
            to => self.step_of(to).is_some_and(|step| sure.is(step)),
        }
    }

    fn sure(&self, member: usize, of: &[Option<usize>], leading: &[Vec<(usize, usize)>]) -> Sure {
        // A member that settles arrives when it fails, too.
        let arrives = |way: &Way| way.after == After::Ok || matches!(way.to.as_slice(), [To::Join(_)]);
        let counts = |step: usize, way: &Way| way.goes_on() && (step != member || !arrives(way));
        let mut sure = Sure { member, lost: vec![None; self.steps.len()] };
        let mut open = Vec::new();
        let mut order = 0;
        for (step, ways) in self.steps.iter().enumerate() {
            let hopeless = |way: &Way| counts(step, way) && !way.to.iter().any(|to| self.leads(*to, &sure, of));
            open.extend((0..ways.len()).filter(|way| hopeless(&ways[*way])).map(|way| (step, way)));
        }
        while let Some((step, way)) = open.pop() {
            // A member that arrives on one way may still go astray on another.
            if sure.lost[step].is_some() {
                continue;
            }
            sure.lost[step] = Some((way, order));
            order += 1;
            for (from, way) in &leading[step] {
                self.visit();
                let on = &self.steps[*from][*way];
                if counts(*from, on) && !on.to.iter().any(|to| self.leads(*to, &sure, of)) {
                    open.push((*from, *way));
                }
            }
        }
        sure
    }

    /// On from a step, along a way on which the member does not run.
    fn astray(&self, step: usize, sure: &Sure, before: Path) -> Path {
        let (mut path, mut step) = (before, step);
        loop {
            let Some((way, order)) = sure.lost[step] else { return path.with(step, None) };
            path = path.with(step, Some(way));
            let to = &self.steps[step][way].to;
            let earlier = |to: &To| {
                let step = self.step_of(*to)?;
                sure.lost[step].filter(|(_, lost)| *lost < order).map(|_| step)
            };
            let Some(next) = to.iter().find_map(earlier) else {
                path.end = to.first().copied();
                return path;
            };
            step = next;
        }
    }

    /// A way to a member that does not lead through a list that starts all of them.
    fn bypass(&self, join: &Join, starts_all: &dyn Fn(&[To]) -> bool) -> Option<(usize, Path)> {
        let mut from: Vec<Option<(usize, usize)>> = vec![None; self.steps.len()];
        let mut met = vec![false; self.steps.len()];
        let mut open = VecDeque::from([0]);
        met[0] = true;
        while let Some(step) = open.pop_front() {
            if join.members.contains(&step) {
                return Some((step, Path::back_from(step, |step| from[step])));
            }
            for (number, way) in self.steps[step].iter().enumerate() {
                if way.after == After::Undo || starts_all(&way.to) {
                    continue;
                }
                for to in way.to.iter().filter_map(|to| self.step_of(*to)) {
                    self.visit();
                    if !std::mem::replace(&mut met[to], true) {
                        from[to] = Some((step, number));
                        open.push_back(to);
                    }
                }
            }
        }
        None
    }

    /// Which other member is not there where `member` is, and why.
    fn explain(&self, sure: &[Sure], of: &[Option<usize>], member: usize, path: Path) -> Lost {
        let ways = || path.steps.iter().filter_map(|(step, way)| Some((*step, (*way)?)));
        let starts = |sure: &Sure, (step, way): (usize, usize)| {
            self.steps[step][way].to.iter().any(|to| self.leads(*to, sure, of))
        };
        let others = || sure.iter().filter(|sure| sure.member != member);
        let missing = others().find(|sure| !ways().any(|way| starts(sure, way))).or_else(|| others().next());
        let Some(missing) = missing else { return Lost::MayNotRun { member, path } };
        // The last arm on the way from which it may run at all.
        let taken: Vec<(usize, usize)> = ways().collect();
        for at in (0..taken.len()).rev() {
            let (step, way) = taken[at];
            let next = |to: &To| self.step_of(*to).filter(|step| self.may_reach(*step, missing.member));
            if let Some(next) = self.steps[step][way].to.iter().find_map(next) {
                let before = Path { steps: path.steps[..=at].to_vec(), end: None };
                let path = self.astray(next, missing, before);
                return Lost::MayNotRun { member: missing.member, path };
            }
        }
        Lost::Elsewhere { member: missing.member, other: member, path }
    }

    fn may_reach(&self, from: usize, wanted: usize) -> bool {
        let mut met = vec![false; self.steps.len()];
        let mut open = vec![from];
        while let Some(step) = open.pop() {
            if step == wanted {
                return true;
            }
            if std::mem::replace(&mut met[step], true) {
                continue;
            }
            let ways = self.steps[step].iter().filter(|way| way.after != After::Undo);
            open.extend(ways.flat_map(|way| &way.to).filter_map(|to| self.step_of(*to)));
        }
        false
    }
}
