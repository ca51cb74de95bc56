//! What a graph must come to: a plain queue of tasks, which knows nothing of stores, workers and claims.
//!
//! It goes on where a run has failed, as if nothing stopped: what the real run does beside a failure is a part of that.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::graph::{Graph, Kind, To};
use crate::plan::{Ending, Signal};
use crate::said;

/// A run.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) flow: usize,
    pub(crate) input: String,
    /// Its output, where it promises one.
    pub(crate) output: Option<String>,
    /// Why it may fail; it does, if there is a reason.
    pub(crate) failures: Vec<String>,
    /// Whether something of it may run beside something else.
    pub(crate) parallel: bool,
    /// Its tasks. Where nothing is parallel, in their order.
    pub(crate) tasks: Vec<ToldTask>,
}

/// A task of a run.
#[derive(Debug)]
pub(crate) struct ToldTask {
    pub(crate) step: usize,
    pub(crate) text: String,
    pub(crate) item: Option<u32>,
    /// Which of two outputs and what it says, or what its failure says at its end: one of these, where its run may fail
    /// in several ways.
    pub(crate) ended: Result<(u8, String), Vec<String>>,
    /// The attempts that failed.
    pub(crate) failures: u32,
    /// The run that it waited for.
    pub(crate) inner: Option<Told>,
    /// What the failure of its run says that it brought: one of these, if there are any.
    pub(crate) fails: Vec<String>,
}

struct Open {
    step: usize,
    text: String,
    /// Its `each`, and its place there.
    item: Option<(usize, u32)>,
}

/// What a member of a join has brought.
type Brought = String;

struct Run<'a> {
    graph: &'a Graph,
    told: Told,
    open: VecDeque<Open>,
    visits: HashMap<usize, u32>,
    /// The last output of each step.
    outputs: HashMap<usize, String>,
    arrived: HashMap<usize, BTreeMap<u32, Brought>>,
    /// What the items of each `each` brought, so far.
    groups: Vec<Vec<Option<Brought>>>,
    signalled: Vec<usize>,
}

/// A run of this flow, with this input.
pub(crate) fn run(graph: &Graph, flow: usize, input: &str) -> Told {
    let told = Told { flow, input: input.to_owned(), ..Told::default() };
    let mut run = Run {
        graph,
        told,
        open: VecDeque::new(),
        visits: HashMap::new(),
        outputs: HashMap::new(),
        arrived: HashMap::new(),
        groups: Vec::new(),
        signalled: Vec::new(),
    };
    run.add(graph.flows[flow].steps[0], input.to_owned(), None);
    while let Some(open) = run.open.pop_front() {
        run.told.parallel |= !run.open.is_empty();
        run.end(open);
    }
    let told = run.told;
    let falls_short = graph.flows[flow].promises && told.output.is_none() || !run.arrived.is_empty();
    assert!(!falls_short || !told.failures.is_empty(), "a plan that is not valid: {told:?}");
    told
}

impl Run<'_> {
    fn add(&mut self, step: usize, text: String, item: Option<(usize, u32)>) {
        *self.visits.entry(step).or_default() += 1;
        self.open.push_back(Open { step, text, item });
    }

    fn end(&mut self, Open { step, text, item }: Open) {
        let graph = self.graph;
        let (mut inner, mut failures) = (None, 1);
        let mut is_error = true;
        let ended = match &graph.steps[step].kind {
            Kind::Task { tries, .. } => {
                let outcome = said::outcome(&graph.steps[step].kind, &text);
                let times = if *tries { 3 } else { 1 };
                failures = times;
                match outcome.end {
                    _ if outcome.stumbles >= times => Err(vec![said::stumble(step)]),
                    Ending::Ok(variant) => {
                        failures = outcome.stumbles;
                        Ok((variant, said::output(step, variant, &text)))
                    }
                    Ending::Error => Err(vec![said::error(step)]),
                    Ending::Panic => {
                        is_error = false;
                        Err(vec![said::panic(step)])
                    }
                }
            }
            Kind::Wait(signal) => {
                let comes = !matches!(signal, Signal::Never) && !self.signalled.contains(&step);
                self.signalled.push(step);
                is_error = false;
                if comes { Ok((0, said::signal(step))) } else { Err(vec!["timed out after 600s".to_owned()]) }
            }
            Kind::Run(flow) => {
                let run = run(graph, *flow, &text);
                let ended = match run.failures.as_slice() {
                    [] => Ok((0, said::of_run(run.output.as_deref()).to_owned())),
                    failures => Err(failures.to_vec()),
                };
                inner = Some(run);
                ended
            }
        };
        if ended.is_ok() && !matches!(graph.steps[step].kind, Kind::Task { .. }) {
            failures = 0;
        }
        let known = self.told.tasks.len();
        let flows = match &ended {
            Ok((_, output)) => {
                self.outputs.insert(step, output.clone());
                output.clone()
            }
            Err(_) => said::failed(step, &text),
        };
        let item_number = item.map(|(_, item)| item);
        self.told.tasks.push(ToldTask { step, text, item: item_number, ended, failures, inner, fails: Vec::new() });
        let fails = self.follow(known, flows, is_error, item);
        self.told.failures.extend(fails.iter().cloned());
        self.told.tasks[known].fails = fails;
    }

    /// What follows; gives why the run fails, if it does.
    fn follow(&mut self, known: usize, flows: String, is_error: bool, item: Option<(usize, u32)>) -> Vec<String> {
        let task = &self.told.tasks[known];
        let (number, ended) = (task.step, task.ended.clone());
        let step = &self.graph.steps[number];
        let flowing = |run: &Self| match step.asks {
            Some(asked) => said::with(&flows, &run.outputs[&asked]),
            None => flows.clone(),
        };
        match (&ended, step.member) {
            (Ok(_), Some(member)) => self.arrive(member, number, flows, item),
            (Ok((variant, _)), None) => {
                let text = flowing(self);
                return self.targets(number, &step.on_ok[usize::from(*variant)], &text, &[]);
            }
            (Err(failure), member) => {
                let typed = step.on_err.as_ref().filter(|_| is_error);
                if let Some(way) = typed.or(step.on_failure.as_ref()) {
                    let text = flowing(self);
                    return self.targets(number, way, &text, failure);
                }
                match member {
                    Some(member) if self.graph.joins[member.0].settled => {
                        self.arrive(member, number, "err".to_owned(), item);
                    }
                    _ => return failure.clone(),
                }
            }
        }
        Vec::new()
    }

    fn targets(&mut self, number: usize, way: &[To], text: &str, failures: &[String]) -> Vec<String> {
        let mut fails = Vec::new();
        // Nothing follows beside a failure.
        let failing = way.iter().any(|to| matches!(to, To::Fail | To::Rollback));
        for to in way.iter().filter(|to| !failing || matches!(to, To::Fail | To::Rollback)) {
            match *to {
                To::Step { step, limit, .. } => {
                    let had = self.visits.get(&step).copied().unwrap_or(0);
                    if let Some(limit) = limit.filter(|limit| had >= *limit) {
                        let name = said::STEP_NAMES[step];
                        fails = vec![format!("the step `{name}` has run {limit} times, its limit")];
                    } else {
                        let is_wait = matches!(self.graph.steps[step].kind, Kind::Wait(_));
                        let text = if is_wait { String::new() } else { text.to_owned() };
                        self.add(step, text, None);
                    }
                }
                To::Each { step, items, .. } => {
                    let group = self.groups.len();
                    self.groups.push(vec![None; usize::from(items)]);
                    for item in 0..u32::from(items) {
                        self.add(step, format!("{text}#{item}"), Some((group, item)));
                    }
                    if let (0, Some(member)) = (items, self.graph.steps[step].member) {
                        self.brings(member, "[]".to_owned());
                    }
                }
                To::Done => self.told.output = Some(text.to_owned()),
                To::Rollback if !failures.is_empty() => fails = failures.to_vec(),
                To::Fail | To::Rollback => fails = vec![said::declared(number)],
                To::End => {}
            }
        }
        fails
    }

    /// The task of a member has ended.
    fn arrive(&mut self, member: (usize, u32), number: usize, brought: String, item: Option<(usize, u32)>) {
        let settled = self.graph.joins[member.0].settled;
        let brought = if settled && brought != "err" { format!("ok {brought}") } else { brought };
        let Some((group, item)) = item else { return self.brings(member, brought) };
        debug_assert!(self.graph.steps[number].member == Some(member));
        self.groups[group][item as usize] = Some(brought);
        if let Some(all) = self.groups[group].iter().cloned().collect::<Option<Vec<_>>>() {
            self.brings(member, format!("[{}]", all.join(",")));
        }
    }

    fn brings(&mut self, (join, place): (usize, u32), brought: Brought) {
        let members = self.graph.joins[join].members.len();
        let arrived = self.arrived.entry(join).or_default();
        arrived.insert(place, brought);
        if arrived.len() == members {
            let texts: Vec<String> = self.arrived.remove(&join).unwrap().into_values().collect();
            self.add(self.graph.joins[join].then, said::joined(&texts), None);
        }
    }
}
