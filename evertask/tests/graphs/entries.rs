//! A graph as the macros would write it: entries, routes and payloads, made by hand at run time.

use std::cell::RefCell;
use std::convert::Infallible;

use evertask::__private::{
    Awaited, Body, Draft, Ended, Fingerprint, InitialOutput, JoinEntry, Location, NewWork, Next, NextEdge, NoArms,
    OfTask, One, Prepare, Registered, Route, RouteError, Signal, StepEntry, Stored, TaskEntry, WorkflowEntry,
    prepare_stored, start,
};
use evertask::prelude::*;
use evertask::{Backoff, Cause, CodecError, FailureReport, Retry, RunId, TaskOptions, WorkId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

use crate::graph::{FLOWS, Graph, Kind, STEPS, To};
use crate::life::Life;
use crate::plan::Ending;
use crate::said::{self, FLOW_NAMES, STEP_NAMES};

/// How long a step waits for its signal.
const PATIENCE: Duration = Duration::from_mins(10);
const HERE: Location = Location { file: file!(), line: line!() };
const PREPARE: [Prepare; FLOWS] = [prepare_stored::<Sub<0>>, prepare_stored::<Sub<1>>, prepare_stored::<Sub<2>>];

/// A graph, with what the runtime knows of it.
pub(crate) struct Built {
    pub(crate) graph: Graph,
    steps: Vec<&'static StepEntry>,
    joins: Vec<&'static JoinEntry>,
    flows: Vec<&'static WorkflowEntry>,
}

thread_local! {
    /// The graph of the test that this thread is at. Its tasks run on this thread alone.
    static BUILT: RefCell<Option<&'static Built>> = const { RefCell::new(None) };
}

fn built() -> &'static Built {
    BUILT.with_borrow(|built| built.unwrap())
}

/// Makes the entries of a graph, for this thread. They stay for good, as statics do.
pub(crate) fn build(graph: &Graph) -> &'static Built {
    let graph = graph.clone();
    let steps: Vec<&StepEntry> =
        (0..graph.steps.len()).map(|step| &*Box::leak(Box::new(entry(&graph, step)))).collect();
    let joins = graph.joins.iter().map(|join| {
        let members: Vec<_> = join.members.iter().map(|(step, each)| (steps[*step], *each)).collect();
        let (name, then) = (STEP_NAMES[join.then], steps[join.then]);
        &*Box::leak(Box::new(JoinEntry { name, members: members.leak(), settled: join.settled, then }))
    });
    let flows = graph.flows.iter().enumerate().map(|(number, flow)| {
        let steps: Vec<&StepEntry> = flow.steps.iter().map(|step| steps[*step]).collect();
        &*Box::leak(Box::new(WorkflowEntry {
            name: FLOW_NAMES[number],
            location: HERE,
            version: 1,
            timeout: None,
            output: if flow.promises { InitialOutput::Promised } else { InitialOutput::Unit },
            body: Body::Block(steps.leak()),
            joins: &[],
            end: None,
            fields: &[],
            serde: &[],
            promises: None,
            was: &[],
            recurs: None,
            fingerprint: Fingerprint::NEW,
            prepare: PREPARE[number],
        }))
    });
    let (joins, flows) = (joins.collect(), flows.collect());
    let built: &Built = Box::leak(Box::new(Built { graph, steps, joins, flows }));
    BUILT.set(Some(built));
    built
}

type Make = fn(&'static str) -> StepEntry;

macro_rules! entries {
    ($($step:literal)*) => {
        const ONCE: [Make; STEPS] = [$(|name| StepEntry::of::<Act<1>, Arms<$step>>(name, &[])),*];
        const TRIES: [Make; STEPS] = [$(|name| StepEntry::of::<Act<3>, Arms<$step>>(name, &[])),*];
        const WAITS: [Make; STEPS] = [$(|name| StepEntry::signal::<Key<$step>, Arms<$step>>(name, &[])),*];
        const RUNS: [[Make; STEPS]; 2] = [
            [$(|name| StepEntry::workflow::<Sub<1>, Arms<$step>>(name, &[])),*],
            [$(|name| StepEntry::workflow::<Sub<2>, Arms<$step>>(name, &[])),*],
        ];
    };
}

entries!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23);

fn entry(graph: &Graph, number: usize) -> StepEntry {
    let (step, name) = (&graph.steps[number], STEP_NAMES[number]);
    let entry = match step.kind {
        Kind::Task { tries: false, .. } => ONCE[number](name),
        Kind::Task { tries: true, .. } => TRIES[number](name),
        Kind::Wait(_) => WAITS[number](name).with_patience(PATIENCE),
        Kind::Run(flow) => RUNS[flow - 1][number](name),
    };
    let entry = match step.asks {
        Some(asked) => entry.with_earlier(&STEP_NAMES[asked..=asked]),
        None => entry,
    };
    match step.follows.map(|join| graph.joins[join].members.len()) {
        None => entry,
        Some(1) => entry.joined::<Act<1>, (One<Value>,)>(),
        Some(2) => entry.joined::<Act<1>, (One<Value>, One<Value>)>(),
        Some(_) => entry.joined::<Act<1>, (One<Value>, One<Value>, One<Value>)>(),
    }
}

/// What every task is given. It is tried so often.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Act<const TIMES: u32> {
    pub(crate) text: String,
}

/// What every task gives: which of its two outputs, and what it says.
type Said = (u8, String);

impl<const TIMES: u32> Handler for Act<TIMES> {
    type Output = Said;
    type Error = String;

    async fn run(self, cx: &Context) -> Result<Said, String> {
        let Some(number) = cx.step().and_then(|name| STEP_NAMES.iter().position(|known| *known == name)) else {
            return Err("no step".to_owned());
        };
        let life = cx.data::<Life>().unwrap();
        life.alive().await;
        let _working = life.begins(cx, number, &self.text);
        // Others may go first, now and then.
        for _ in 0..said::hash(&self.text) % 3 {
            tokio::task::yield_now().await;
        }
        life.alive().await;
        let outcome = said::outcome(&built().graph.steps[number].kind, &self.text);
        if cx.attempt() <= outcome.stumbles {
            return Err(said::stumble(number));
        }
        match outcome.end {
            Ending::Ok(variant) => {
                life.ends(cx);
                Ok((variant, said::output(number, variant, &self.text)))
            }
            Ending::Error => Err(said::error(number)),
            Ending::Panic => std::panic::panic_any(said::panic(number)),
        }
    }
}

impl<const TIMES: u32> Act<TIMES> {
    const ENTRY: &'static TaskEntry = &TaskEntry::of::<Self, NoArms>(
        HERE,
        TaskOptions {
            retry: Some(Retry { times: TIMES - 1, backoff: Backoff::Fixed(Duration::ZERO) }),
            ..TaskOptions::DEFAULT
        },
        Vec::new,
        &[],
    );
}

impl<const TIMES: u32> Task for Act<TIMES> {
    const NAME: &'static str = if TIMES == 1 { "act" } else { "try" };
    const HOOKS: bool = false;

    fn entry() -> &'static TaskEntry {
        Self::ENTRY
    }
}

impl<const TIMES: u32> evertask::__private::Step for Act<TIMES> {
    type Work = Self;
    type Kind = OfTask;
}

/// What a member of a join brings, as it is stored.
fn brought(value: &Value) -> String {
    match value {
        Value::Array(said) if said.len() == 2 && said[0].is_u64() => brought(&said[1]),
        Value::Array(items) => format!("[{}]", items.iter().map(brought).collect::<Vec<_>>().join(",")),
        Value::Object(settled) => match (settled.get("Ok"), settled.get("Err")) {
            (Some(value), _) => format!("ok {}", brought(value)),
            // Which failure of a run within comes first is chance.
            (None, Some(_)) => "err".to_owned(),
            (None, None) => panic!("neither an output nor a failure: {value}"),
        },
        Value::String(text) => text.clone(),
        Value::Null => said::of_run(None).to_owned(),
        value => panic!("no output of a step: {value}"),
    }
}

/// What the step that follows a join is given, from what is stored.
pub(crate) fn joined(stored: &[Value]) -> String {
    said::joined(&stored.iter().map(brought).collect::<Vec<_>>())
}

impl<const TIMES: u32> From<Value> for Act<TIMES> {
    fn from(member: Value) -> Self {
        Self { text: joined(&[member]) }
    }
}

impl<const TIMES: u32> From<(Value, Value)> for Act<TIMES> {
    fn from((one, two): (Value, Value)) -> Self {
        Self { text: joined(&[one, two]) }
    }
}

impl<const TIMES: u32> From<(Value, Value, Value)> for Act<TIMES> {
    fn from((one, two, three): (Value, Value, Value)) -> Self {
        Self { text: joined(&[one, two, three]) }
    }
}

/// Starts a run of a flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sub<const FLOW: usize> {
    pub(crate) text: String,
}

impl<const FLOW: usize> Work for Sub<FLOW> {
    type Output = Option<String>;
    type Error = FailureReport;
    type Id = RunId;
    const NAME: &'static str = FLOW_NAMES[FLOW];

    fn prepare(self, draft: Draft) -> Result<NewWork, CodecError> {
        let input = evertask::__private::encode(&self)?;
        let first = built().graph.flows[FLOW].steps[0];
        let entry = built().steps[first];
        if matches!(built().graph.steps[first].kind, Kind::Task { tries: true, .. }) {
            return start(draft, Self::entry(), input, Some(entry), &Act::<3> { text: self.text });
        }
        start(draft, Self::entry(), input, Some(entry), &Act::<1> { text: self.text })
    }

    fn registered() -> Registered {
        Registered::Workflow(Self::entry())
    }

    fn id(id: WorkId) -> Option<RunId> {
        match id {
            WorkId::Run(id) => Some(id),
            WorkId::Task(_) => None,
        }
    }

    fn typed_error(report: &FailureReport, _: Option<&[u8]>) -> Option<FailureReport> {
        Some(report.clone())
    }
}

impl<const FLOW: usize> Workflow for Sub<FLOW> {
    fn entry() -> &'static WorkflowEntry {
        built().flows[FLOW]
    }
}

/// What the step of this number waits for.
pub(crate) enum Key<const STEP: usize> {}

impl<const STEP: usize> Awaited for Key<STEP> {
    type Value = String;
}

/// The arms of the step of this number.
pub(crate) enum Arms<const STEP: usize> {}

impl<const STEP: usize, const TIMES: u32> Route<Act<TIMES>> for Arms<STEP> {
    fn route(ended: Ended<Act<TIMES>>, stored: Stored<'_>, next: &mut Next<'_>) -> Result<(), RouteError> {
        match ended {
            Ended::Ok((variant, text)) => succeeded(STEP, variant, &text, stored, next),
            Ended::Failed(fault) => {
                let input = stored.payload::<Act<TIMES>>()?.text;
                failed(STEP, &fault.cause, fault.report(), &input, stored, next)
            }
        }
    }
}

impl<const STEP: usize, const FLOW: usize> Route<Sub<FLOW>> for Arms<STEP> {
    fn route(ended: Ended<Sub<FLOW>>, stored: Stored<'_>, next: &mut Next<'_>) -> Result<(), RouteError> {
        match ended {
            Ended::Ok(output) => succeeded(STEP, 0, said::of_run(output.as_deref()), stored, next),
            Ended::Failed(fault) => {
                let input = stored.payload::<Sub<FLOW>>()?.text;
                failed(STEP, &fault.cause, fault.report(), &input, stored, next)
            }
        }
    }
}

impl<const STEP: usize> Route<Signal<Key<STEP>>> for Arms<STEP> {
    fn route(ended: Ended<Signal<Key<STEP>>>, stored: Stored<'_>, next: &mut Next<'_>) -> Result<(), RouteError> {
        match ended {
            Ended::Ok(value) => succeeded(STEP, 0, &value, stored, next),
            Ended::Failed(fault) => failed::<Infallible>(STEP, &fault.cause, fault.report(), "", stored, next),
        }
    }
}

fn succeeded(
    number: usize,
    variant: u8,
    text: &str,
    stored: Stored<'_>,
    next: &mut Next<'_>,
) -> Result<(), RouteError> {
    let step = &built().graph.steps[number];
    if let Some((by, only_first)) = step.undo
        && (variant == 0 || !only_first)
    {
        let undo = |next: &mut Next<'_>, text| match &built().graph.steps[by].kind {
            Kind::Task { tries: true, .. } => next.undo(built().steps[by], &Act::<3> { text }),
            _ => next.undo(built().steps[by], &Act::<1> { text }),
        };
        undo(next, text.to_owned())?;
    }
    if let Some((join, place)) = step.member {
        next.join(built().joins[join], place);
        return Ok(());
    }
    let flows = looked_back(number, text, stored)?;
    targets(number, &step.on_ok[usize::from(variant)], &flows, None, next)
}

fn failed<E: std::fmt::Display>(
    number: usize,
    cause: &Cause<E>,
    report: FailureReport,
    input: &str,
    stored: Stored<'_>,
    next: &mut Next<'_>,
) -> Result<(), RouteError> {
    let step = &built().graph.steps[number];
    if matches!(cause, Cause::Cancelled) {
        next.unrouted(report);
        return Ok(());
    }
    let typed = step.on_err.as_ref().filter(|_| matches!(cause, Cause::Error(_)));
    if let Some(way) = typed.or(step.on_failure.as_ref()) {
        let flows = looked_back(number, &said::failed(number, input), stored)?;
        return targets(number, way, &flows, Some(&report), next);
    }
    match step.member {
        Some((join, place)) if built().graph.joins[join].settled => next.join(built().joins[join], place),
        _ => next.unrouted(report),
    }
    Ok(())
}

/// What flows, with the earlier output that the arms ask for.
fn looked_back(number: usize, text: &str, stored: Stored<'_>) -> Result<String, RouteError> {
    match built().graph.steps[number].asks {
        Some(_) => Ok(said::with(text, &brought(&stored.earlier::<Value>(0..1)?))),
        None => Ok(text.to_owned()),
    }
}

fn targets(
    number: usize,
    way: &[To],
    text: &str,
    report: Option<&FailureReport>,
    next: &mut Next<'_>,
) -> Result<(), RouteError> {
    for to in way {
        match *to {
            To::Step { step, pause, limit } => {
                let after = (pause > 0).then(|| Duration::from_mins(u64::from(pause)));
                follow(step, text, NextEdge { after, limit }, next)?;
            }
            To::Each { step, items, limit } => each(step, items, limit, text, next)?,
            To::Done => next.done(&Some(text.to_owned()))?,
            To::Fail => next.fail(STEP_NAMES[number], &said::declared(number)),
            To::Rollback => match report {
                Some(report) => next.unrouted(report.clone()),
                None => next.fail(STEP_NAMES[number], &said::declared(number)),
            },
            To::End => {}
        }
    }
    Ok(())
}

fn follow(number: usize, text: &str, edge: NextEdge, next: &mut Next<'_>) -> Result<(), RouteError> {
    let (entry, text) = (built().steps[number], text.to_owned());
    match built().graph.steps[number].kind {
        Kind::Task { tries: false, .. } => next.step(entry, &Act::<1> { text }, edge),
        Kind::Task { tries: true, .. } => next.step(entry, &Act::<3> { text }, edge),
        Kind::Wait(_) => {
            next.wait(entry, edge);
            Ok(())
        }
        Kind::Run(1) => next.run(entry, Sub::<1> { text }, edge),
        Kind::Run(_) => next.run(entry, Sub::<2> { text }, edge),
    }
}

fn each(number: usize, items: u8, limit: Option<u32>, text: &str, next: &mut Next<'_>) -> Result<(), RouteError> {
    let step = &built().graph.steps[number];
    let join = step.member.map(|(join, place)| (built().joins[join], place));
    let texts = (0..items).map(|item| format!("{text}#{item}"));
    match step.kind {
        Kind::Task { tries: true, .. } => {
            next.each(built().steps[number], texts.map(|text| Act::<3> { text }), limit, join)
        }
        _ => next.each(built().steps[number], texts.map(|text| Act::<1> { text }), limit, join),
    }
}
