//! The graph of a block: its edges and ways as numbers, and a way as text.

use proc_macro2::Span;

use super::model::Workflow;
use crate::arms::{Arm, Linked, Outcome, Target, TargetKind};
use crate::graph::{After, Flow, Join, Path, To, Way};

/// One edge between steps.
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Whether it can't go round for ever: it waits, is limited, or is taken by no run that goes on.
    pub(crate) rests: bool,
    pub(crate) span: Span,
}

/// The flow of a block, and which arm each way is.
pub(crate) struct Ways {
    pub(crate) flow: Flow,
    arms: Vec<Vec<Option<usize>>>,
}

impl Workflow {
    /// The edges between steps, in the order in which they are written.
    pub(crate) fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (from, step) in self.steps.iter().enumerate() {
            for (arm, target) in step.arms.iter().flat_map(|arm| arm.targets.iter().map(move |target| (arm, target))) {
                let Some(to) = target.to() else { continue };
                let counts = matches!(target.kind, TargetKind::Work { .. }) && target.limit.is_some();
                let rests =
                    arm.outcome == Outcome::Undo || target.after.is_some() || counts || self.steps[to.number].is_wait();
                edges.push(Edge { from, to: to.number, rests, span: to.span });
            }
            if let Some(join) = self.join_of(from).filter(|join| join.then.number != from) {
                // A circle through a join is one, however many members it has.
                let rests = join.members.first().is_none_or(|first| first.step != from);
                edges.push(Edge { from, to: join.then.number, rests, span: join.then.span });
            }
        }
        edges
    }

    /// The ways on from each step.
    pub(crate) fn ways(&self) -> Ways {
        let (mut steps, mut arms) = (Vec::new(), Vec::new());
        for step in &self.steps {
            let mut ways: Vec<Way> = step.arms.iter().map(way).collect();
            let mut of: Vec<Option<usize>> = (0..ways.len()).map(Some).collect();
            let mut implied = |after: After, to: To| {
                ways.push(Way { after, to: vec![to] });
                of.push(None);
            };
            if !step.goes_on() {
                let to = match step.member {
                    Some((join, _)) => To::Join(join),
                    None if self.output.is_some() && !step.is_undo => To::MayBeDone,
                    None => To::End,
                };
                implied(After::Ok, to);
            }
            if let Some((join, _)) = step.member
                && self.joins[join].settled
            {
                implied(After::Failure, To::Join(join));
            }
            steps.push(ways);
            arms.push(of);
        }
        let joins = self.joins.iter().map(|join| Join {
            members: join.members.iter().map(|member| member.step).collect(),
            then: join.then.number,
        });
        Ways { flow: Flow { steps, joins: joins.collect(), ..Flow::default() }, arms }
    }

    /// The way as a person would say it: `a -> b (on_err) -> end`. A step with one `on_ok` arm does not name it.
    pub(crate) fn shown(&self, ways: &Ways, path: &Path) -> String {
        let mut shown: Vec<String> = path
            .steps
            .iter()
            .map(|(step, way)| {
                let name = self.name_of(*step);
                let of = &self.steps[*step];
                let arm = way.and_then(|way| ways.arms[*step][way]).map(|arm| &of.arms[arm]);
                let several = of.arms.iter().filter(|arm| arm.outcome == Outcome::Ok).count() > 1;
                let failed = || way.is_some_and(|way| ways.flow.steps[*step][way].after == After::Failure);
                match arm {
                    Some(arm) if arm.outcome != Outcome::Ok || several => format!("{name} ({})", arm.written),
                    None if failed() => format!("{name} (failed)"),
                    _ => name,
                }
            })
            .collect();
        match path.end {
            Some(To::Done) => shown.push("done".to_owned()),
            Some(To::End) => shown.push("end".to_owned()),
            Some(To::Each(step)) => shown.push(format!("each {}", self.name_of(step))),
            Some(To::Step(step)) => shown.push(self.name_of(step)),
            _ => {}
        }
        shown.join(" -> ")
    }

    /// Where a target of a way is written.
    pub(crate) fn target_of(&self, ways: &Ways, at: (usize, usize, usize)) -> Option<&Target<Linked>> {
        let (step, way, number) = at;
        self.steps[step].arms[ways.arms[step][way]?].targets.get(number)
    }
}

fn way(arm: &Arm<Linked>) -> Way {
    let after = match arm.outcome {
        Outcome::Ok => After::Ok,
        Outcome::Undo => After::Undo,
        Outcome::Cancel => After::Cancel,
        Outcome::Err | Outcome::Failure | Outcome::Timeout => After::Failure,
    };
    Way { after, to: arm.targets.iter().map(to).collect() }
}

fn to(target: &Target<Linked>) -> To {
    match &target.kind {
        TargetKind::Work { to, .. } => To::Step(to.number),
        TargetKind::Each { to, .. } => To::Each(to.number),
        TargetKind::Done { .. } => To::Done,
        TargetKind::Fail { .. } | TargetKind::Rollback { .. } => To::Fails,
        TargetKind::End { .. } => To::End,
    }
}
