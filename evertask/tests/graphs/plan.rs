//! Random workflows, as a person would write them: a sequence of parts, each of which ends in one of several ways.
//! A plan is valid by its make; what a graph makes of it is in `graph`.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A workflow.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) first: Link,
    pub(crate) rest: Vec<Part>,
    pub(crate) end: End,
    /// Whether it promises an output.
    pub(crate) promises: bool,
}

/// How a plan ends that comes to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// With its output, if it promises one.
    Done,
    Fail,
    Rollback,
}

/// What stands in the sequence of a plan.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Link(Link),
    Fork(Fork),
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) does: Does,
    /// The pause before it, in minutes.
    pub(crate) pause: u8,
    /// Where the second of its outputs leads to.
    pub(crate) second: Branch,
    pub(crate) on_err: Option<Branch>,
    pub(crate) on_failure: Option<Branch>,
    pub(crate) undo: Option<Undo>,
    /// Whether its arms ask for the output of the first step of its sequence.
    pub(crate) asks: bool,
    /// What goes on beside the sequence when it succeeded.
    pub(crate) asides: Vec<Aside>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    Job(Job),
    Wait(Signal),
    Run(Box<Plan>),
}

/// A task: how it ends depends on what it is given.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// One of these, at least one.
    pub(crate) outcomes: Vec<Outcome>,
    /// Whether it is tried three times.
    pub(crate) tries: bool,
}

/// How a task ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// So many attempts fail before.
    pub(crate) stumbles: u32,
    pub(crate) end: Ending,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    /// With this output of two.
    Ok(u8),
    Error,
    Panic,
}

/// When the value of a `wait` comes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signal {
    /// Before the step waits.
    Early,
    /// When nothing else is left to do.
    Late,
    Never,
}

/// What makes up for a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Undo {
    /// So many attempts fail; each is final, but for those that are tried again.
    pub(crate) stumbles: u32,
    pub(crate) tries: bool,
    /// Whether only the first of two outputs is undone.
    pub(crate) only_first: bool,
}

/// Where an arm leads to that does not lead on.
#[derive(Debug, Clone)]
pub(crate) enum Branch {
    /// Where the first output leads to.
    On,
    /// To the step itself, up to a limit.
    Again(u32),
    /// To an earlier step of the sequence, so far before, up to a limit.
    Back(usize, u32),
    Fail,
    Rollback,
    /// The workflow, or the branch beside it, ends.
    End,
}

/// A branch that no join waits for.
#[derive(Debug, Clone)]
pub(crate) enum Aside {
    Chain(Vec<Link>),
    Each(Each),
}

/// A step for each item.
#[derive(Debug, Clone)]
pub(crate) struct Each {
    pub(crate) items: u8,
    pub(crate) limit: Option<u32>,
    pub(crate) link: Box<Link>,
}

/// Branches that a join waits for.
#[derive(Debug, Clone)]
pub(crate) struct Fork {
    pub(crate) members: Vec<Member>,
    pub(crate) settled: bool,
    pub(crate) then: Link,
}

#[derive(Debug, Clone)]
pub(crate) enum Member {
    /// A sequence of steps; the last one is the member.
    Chain(Vec<Link>),
    Each(Each),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let end = prop_oneof![
        20 => Just(Ending::Ok(0)),
        5 => Just(Ending::Ok(1)),
        1 => Just(Ending::Error),
        1 => Just(Ending::Panic),
    ];
    (prop_oneof![9 => Just(0), 1 => 1..4_u32], end).prop_map(|(stumbles, end)| Outcome { stumbles, end })
}

fn job() -> impl Strategy<Value = Job> {
    (vec(outcome(), 1..3), prop::bool::weighted(0.7)).prop_map(|(outcomes, tries)| Job { outcomes, tries })
}

fn branch() -> BoxedStrategy<Branch> {
    prop_oneof![
        8 => Just(Branch::On),
        2 => (1..4_u32).prop_map(Branch::Again),
        2 => (0..3_usize, 1..4_u32).prop_map(|(steps, limit)| Branch::Back(steps, limit)),
        1 => Just(Branch::Fail),
        1 => Just(Branch::Rollback),
        1 => Just(Branch::End),
    ]
    .boxed()
}

fn undo() -> impl Strategy<Value = Undo> {
    (prop_oneof![4 => Just(0), 1 => 1..4_u32], any::<bool>(), any::<bool>())
        .prop_map(|(stumbles, tries, only_first)| Undo { stumbles, tries, only_first })
}

/// A step that does this.
fn doing(does: impl Strategy<Value = Does> + 'static) -> BoxedStrategy<Link> {
    let arms = (branch(), option::weighted(0.3, branch()), option::weighted(0.4, branch()));
    let pause = prop_oneof![4 => Just(0), 1 => 1..4_u8];
    let undo = option::weighted(0.5, undo());
    let link = (does, pause, arms, undo, prop::bool::weighted(0.2));
    link.prop_map(|(does, pause, (second, on_err, on_failure), undo, asks)| Link {
        does,
        pause,
        second,
        on_err,
        on_failure,
        undo,
        asks,
        asides: Vec::new(),
    })
    .boxed()
}

fn task() -> BoxedStrategy<Link> {
    doing(job().prop_map(Does::Job))
}

fn signal() -> impl Strategy<Value = Signal> {
    prop_oneof![Just(Signal::Early), Just(Signal::Late), Just(Signal::Never)]
}

/// A step: a task, a wait, or one of these plans.
fn link(inner: BoxedStrategy<Plan>) -> BoxedStrategy<Link> {
    let does = prop_oneof![
        6 => job().prop_map(Does::Job),
        1 => signal().prop_map(Does::Wait),
        2 => inner.prop_map(|plan| Does::Run(Box::new(plan))),
    ];
    let each = || (0..4_u8, option::of(1..3_u32), task());
    let each = each().prop_map(|(items, limit, link)| Aside::Each(Each { items, limit, link: Box::new(link) }));
    let aside = prop_oneof![2 => vec(task(), 1..3).prop_map(Aside::Chain), 1 => each];
    let asides = prop_oneof![5 => Just(Vec::new()), 1 => vec(aside, 1..3)];
    (doing(does), asides).prop_map(|(link, asides)| Link { asides, ..link }).boxed()
}

fn fork(inner: BoxedStrategy<Plan>) -> BoxedStrategy<Fork> {
    let each = (0..4_u8, option::of(1..3_u32), task());
    let each = each.prop_map(|(items, limit, link)| Member::Each(Each { items, limit, link: Box::new(link) }));
    let member = prop_oneof![vec(link(inner), 1..3).prop_map(Member::Chain), each];
    let fork = (vec(member, 1..4), any::<bool>(), task());
    fork.prop_map(|(members, settled, then)| Fork { members, settled, then }).boxed()
}

fn with_inner(inner: BoxedStrategy<Plan>) -> BoxedStrategy<Plan> {
    let part = prop_oneof![
        3 => link(inner.clone()).prop_map(Part::Link),
        2 => fork(inner).prop_map(Part::Fork),
    ];
    let end = prop_oneof![8 => Just(End::Done), 1 => Just(End::Fail), 1 => Just(End::Rollback)];
    let plan = (task(), vec(part, 0..6), end, any::<bool>());
    plan.prop_map(|(first, rest, end, promises)| Plan { first, rest, end, promises }).boxed()
}

/// A workflow, with workflows in it.
pub(crate) fn plan() -> BoxedStrategy<Plan> {
    let flat = (task(), vec(task().prop_map(Part::Link), 0..3), any::<bool>());
    let flat = flat.prop_map(|(first, rest, promises)| Plan { first, rest, end: End::Done, promises });
    with_inner(with_inner(flat.boxed()))
}

/// The death of a worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    /// At which of the times that it ends attempts.
    pub(crate) at: u32,
    /// Whether that was committed.
    pub(crate) committed: bool,
    /// Whether the store is opened again before the next worker comes, where that can be.
    pub(crate) reopens: bool,
}

/// What befalls a run.
#[derive(Debug, Clone)]
pub(crate) struct Fate {
    /// One worker after the other dies.
    pub(crate) deaths: Vec<Death>,
    /// How many tasks a worker runs at once.
    pub(crate) slots: u32,
    /// Whether another worker lives through all of it.
    pub(crate) company: bool,
    /// The run is held, and goes on, at so many ends of attempts.
    pub(crate) holds: Vec<u32>,
}

pub(crate) fn fate() -> impl Strategy<Value = Fate> {
    let death = (1..6_u32, any::<bool>(), any::<bool>());
    let death = death.prop_map(|(at, committed, reopens)| Death { at, committed, reopens });
    (vec(death, 0..5), 1..4_u32, option::weighted(0.2, Just(())), vec(1..8_u32, 0..2))
        .prop_map(|(deaths, slots, company, holds)| Fate { deaths, slots, company: company.is_some(), holds })
}
