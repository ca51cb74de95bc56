//! A plan as steps with arms: what the runtime is given, and what the reference goes through.

use std::collections::HashMap;

use crate::plan::{Aside, Branch, Does, Each, End, Fork, Job, Link, Member, Outcome, Part, Plan, Signal, Undo};

/// The most steps of a graph, all workflows together.
pub(crate) const STEPS: usize = 24;
/// The most workflows of a graph.
pub(crate) const FLOWS: usize = 3;

/// The workflows; a run of the first one is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub(crate) flows: Vec<Flow>,
    pub(crate) steps: Vec<Step>,
    pub(crate) joins: Vec<Join>,
}

#[derive(Debug, Clone)]
pub(crate) struct Flow {
    pub(crate) promises: bool,
    /// Its steps, by number; the first one first.
    pub(crate) steps: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    /// Where each of the two outputs leads to. A member of a join has none.
    pub(crate) on_ok: [Vec<To>; 2],
    pub(crate) on_err: Option<Vec<To>>,
    pub(crate) on_failure: Option<Vec<To>>,
    /// What undoes it, and whether that is so for its first output only.
    pub(crate) undo: Option<(usize, bool)>,
    /// The earlier step whose output its arms ask for.
    pub(crate) asks: Option<usize>,
    /// The join that it is a member of, and which one.
    pub(crate) member: Option<(usize, u32)>,
    /// The join that it follows.
    pub(crate) follows: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Task { outcomes: Vec<Outcome>, tries: bool },
    Wait(Signal),
    Run(usize),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum To {
    Step { step: usize, pause: u8, limit: Option<u32> },
    Each { step: usize, items: u8, limit: Option<u32> },
    Done,
    Fail,
    Rollback,
    End,
}

#[derive(Debug, Clone)]
pub(crate) struct Join {
    pub(crate) settled: bool,
    /// The steps, and whether each runs for each item.
    pub(crate) members: Vec<(usize, bool)>,
    pub(crate) then: usize,
}

impl Graph {
    /// The graph of a plan, unless that is too large.
    pub(crate) fn of(plan: &Plan) -> Option<Self> {
        let mut graph = Self::default();
        graph.flow(plan);
        (graph.steps.len() <= STEPS && graph.flows.len() <= FLOWS).then_some(graph)
    }

    /// How many items of a step may run at once, where that is said.
    pub(crate) fn limits(&self) -> HashMap<usize, u32> {
        let ways = |step: &Step| {
            let failing = [&step.on_err, &step.on_failure].into_iter().flatten();
            step.on_ok.iter().chain(failing).flatten().copied().collect::<Vec<To>>()
        };
        let limit = |to| match to {
            To::Each { step, limit, .. } => Some((step, limit?)),
            _ => None,
        };
        self.steps.iter().flat_map(ways).filter_map(limit).collect()
    }

    fn flow(&mut self, plan: &Plan) -> usize {
        let flow = self.flows.len();
        self.flows.push(Flow { promises: plan.promises, steps: Vec::new() });
        let ends = if plan.promises { To::Done } else { To::End };
        let end = match plan.end {
            End::Done => ends,
            End::Fail => To::Fail,
            End::Rollback => To::Rollback,
        };
        let first = self.add(flow, &plan.first);
        let mut sequence = Sequence::new(flow, ends, first);
        sequence.push(first, &plan.first);
        for part in &plan.rest {
            match part {
                Part::Link(link) => {
                    let step = self.add(flow, link);
                    sequence.leads_on(vec![to(step, link)]);
                    sequence.push(step, link);
                }
                Part::Fork(fork) => {
                    let members = self.fork(flow, fork);
                    let then = self.joins[members.1].then;
                    sequence.leads_on(members.0);
                    sequence.push(then, &fork.then);
                }
            }
        }
        sequence.leads_on(vec![end]);
        self.arms(&sequence, None);
        flow
    }

    /// Adds a step, without its arms.
    fn add(&mut self, flow: usize, link: &Link) -> usize {
        let kind = match &link.does {
            Does::Job(Job { outcomes, tries }) => Kind::Task { outcomes: outcomes.clone(), tries: *tries },
            Does::Wait(signal) => Kind::Wait(*signal),
            Does::Run(plan) => Kind::Run(self.flow(plan)),
        };
        self.push(flow, kind)
    }

    fn push(&mut self, flow: usize, kind: Kind) -> usize {
        let step = self.steps.len();
        self.flows[flow].steps.push(step);
        self.steps.push(Step {
            kind,
            on_ok: [Vec::new(), Vec::new()],
            on_err: None,
            on_failure: None,
            undo: None,
            asks: None,
            member: None,
            follows: None,
        });
        step
    }

    /// A fork: what leads to it, and its join.
    fn fork(&mut self, flow: usize, fork: &Fork) -> (Vec<To>, usize) {
        let join = self.joins.len();
        self.joins.push(Join { settled: fork.settled, members: Vec::new(), then: 0 });
        let (mut ways, mut members) = (Vec::new(), Vec::new());
        for (place, member) in (0..).zip(&fork.members) {
            match member {
                Member::Chain(links) => {
                    let (way, last) = self.chain(flow, links, Some((join, place, fork.settled)));
                    ways.push(way);
                    members.push((last, false));
                }
                Member::Each(each) => {
                    let step = self.each(flow, each, Some((join, place, fork.settled)));
                    ways.push(To::Each { step, items: each.items, limit: each.limit });
                    members.push((step, true));
                }
            }
        }
        let then = self.add(flow, &fork.then);
        self.steps[then].follows = Some(join);
        self.joins[join].members = members;
        self.joins[join].then = then;
        (ways, join)
    }

    /// Steps of which the last one is a member of a join, or ends: what leads to them, and the last one.
    fn chain(&mut self, flow: usize, links: &[Link], member: Option<(usize, u32, bool)>) -> (To, usize) {
        let steps: Vec<usize> = links.iter().map(|link| self.add(flow, link)).collect();
        let (first, last) = (steps[0], steps[steps.len() - 1]);
        // A branch that a join waits for must not end.
        let ends = if member.is_some() { To::Rollback } else { To::End };
        let mut sequence = Sequence::new(flow, ends, first);
        for (step, link) in steps.iter().zip(links) {
            sequence.leads_on(vec![to(*step, link)]);
            sequence.push(*step, link);
        }
        sequence.leads_on(vec![To::End]);
        self.arms(&sequence, member);
        (to(first, &links[0]), last)
    }

    fn each(&mut self, flow: usize, each: &Each, member: Option<(usize, u32, bool)>) -> usize {
        let step = self.add(flow, &each.link);
        let link = once(&each.link);
        let mut sequence = Sequence::new(flow, To::End, step);
        sequence.push(step, &link);
        sequence.leads_on(vec![To::End]);
        self.arms(&sequence, member);
        step
    }

    /// The arms of the steps of a sequence; its last one may be a member.
    fn arms(&mut self, sequence: &Sequence<'_>, member: Option<(usize, u32, bool)>) {
        for (place, &(step, link)) in sequence.links.iter().enumerate() {
            let arrives = member.filter(|_| place + 1 == sequence.links.len());
            self.undone(sequence.flow, step, link.undo);
            self.steps[step].asks =
                Some(sequence.first).filter(|_| link.asks && place > 0 && sequence.first_completes());
            let on = &sequence.ways[place];
            let way = |branch: &Branch| match branch {
                Branch::On => on.clone(),
                Branch::Again(limit) => vec![To::Step { step, pause: 0, limit: Some(*limit) }],
                Branch::Back(back, limit) => {
                    let step = sequence.links[place.saturating_sub(*back)].0;
                    vec![To::Step { step, pause: 0, limit: Some(*limit) }]
                }
                Branch::Fail => vec![To::Fail],
                Branch::Rollback => vec![To::Rollback],
                Branch::End => vec![sequence.ends],
            };
            if let Some((join, place, settled)) = arrives {
                self.steps[step].member = Some((join, place));
                // A member that fails does not arrive, unless the join is settled.
                let failing = |branch: &Branch| match branch {
                    Branch::On | Branch::End => vec![To::Rollback],
                    branch => way(branch),
                };
                if !settled {
                    self.steps[step].on_err = link.on_err.as_ref().map(failing);
                    self.steps[step].on_failure = link.on_failure.as_ref().map(failing);
                }
                continue;
            }
            let mut onward = on.clone();
            for aside in &link.asides {
                onward.push(match aside {
                    Aside::Chain(links) => {
                        let links: Vec<Link> = links.iter().map(once).collect();
                        self.chain(sequence.flow, &links, None).0
                    }
                    Aside::Each(each) => {
                        let step = self.each(sequence.flow, each, None);
                        To::Each { step, items: each.items, limit: each.limit }
                    }
                });
            }
            let this = &mut self.steps[step];
            this.on_ok = [onward, way(&link.second)];
            this.on_err = link.on_err.as_ref().map(way);
            this.on_failure = link.on_failure.as_ref().map(way);
        }
    }

    fn undone(&mut self, flow: usize, step: usize, undo: Option<Undo>) {
        let Some(Undo { stumbles, tries, only_first }) = undo else { return };
        let outcomes = vec![Outcome { stumbles, end: crate::plan::Ending::Ok(0) }];
        let by = self.push(flow, Kind::Task { outcomes, tries });
        self.steps[step].undo = Some((by, only_first));
    }
}

/// The same step without a loop and a look back, for one that may run beside itself: which of them would come to the
/// limit, and which was the last, is chance.
fn once(link: &Link) -> Link {
    let once = |branch: &Branch| match branch {
        Branch::Again(_) | Branch::Back(..) => Branch::End,
        branch => branch.clone(),
    };
    Link {
        second: once(&link.second),
        on_err: link.on_err.as_ref().map(once),
        on_failure: link.on_failure.as_ref().map(once),
        asks: false,
        ..link.clone()
    }
}

fn to(step: usize, link: &Link) -> To {
    To::Step { step, pause: link.pause, limit: None }
}

/// Steps one after the other.
struct Sequence<'a> {
    flow: usize,
    /// What the end of a branch is.
    ends: To,
    first: usize,
    links: Vec<(usize, &'a Link)>,
    /// Where each of them leads on to.
    ways: Vec<Vec<To>>,
}

impl<'a> Sequence<'a> {
    fn new(flow: usize, ends: To, first: usize) -> Self {
        Self { flow, ends, first, links: Vec::new(), ways: Vec::new() }
    }

    fn push(&mut self, step: usize, link: &'a Link) {
        self.links.push((step, link));
        self.ways.push(Vec::new());
    }

    /// Whether what comes after the first one comes after its success.
    fn first_completes(&self) -> bool {
        let first = self.links[0].1;
        [&first.on_err, &first.on_failure].into_iter().all(|arm| !matches!(arm, Some(Branch::On)))
    }

    /// The last one leads on to this.
    fn leads_on(&mut self, way: Vec<To>) {
        if let Some(last) = self.ways.last_mut() {
            *last = way;
        }
    }
}
