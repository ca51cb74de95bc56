//! What the macros know: the entry of each task, step, join and workflow, as statics that generated code makes.

use std::any::TypeId;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use crate::__private::Step;
use crate::payload::CodecError;
use crate::schedule::{Schedule, ScheduleError};
use crate::store::NewWork;
use crate::task::{Task, TaskOptions, Work, Workflow};
use crate::worker::{Runner, attempt_runner, end_runner, signal_runner, sub_run_runner};
use crate::workflow::{AfterJoin, Awaited, Draft, Graph, Joins, Members, Route, RunBy, Signal, TaskKind};

/// Where in the source something was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Location {
    /// The file.
    pub file: &'static str,
    /// The line.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A value that a task needs, given to the worker with `.data(..)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The type.
    pub type_id: TypeId,
    /// Its name, for people.
    pub type_name: &'static str,
}

impl Need {
    /// The need of a `T`.
    pub fn of<T: ?Sized + 'static>() -> Self {
        Self { type_id: TypeId::of::<T>(), type_name: std::any::type_name::<T>() }
    }
}

/// When a task or workflow recurs, as it is declared with it.
#[derive(Debug, Clone, Copy)]
pub struct Recurs {
    /// When it does, or what is wrong with that.
    pub schedule: fn() -> Result<Schedule, ScheduleError>,
    /// The payload of each of its runs, as it is stored.
    pub payload: fn() -> Result<Vec<u8>, CodecError>,
}

/// What the macro knows of a task.
#[derive(Debug)]
pub struct TaskEntry {
    /// The stored name.
    pub name: &'static str,
    /// Where it was declared.
    pub location: Location,
    /// How it runs.
    pub options: TaskOptions,
    /// Whether it has an `on_cancel` arm of its own.
    pub on_cancel: bool,
    /// What it needs of `.data(..)`.
    pub needs: fn() -> Vec<Need>,
    /// Its standing chain.
    pub edges: &'static [EdgeEntry],
    /// The fields of its payload, each with its type as it was written.
    pub fields: &'static [(&'static str, &'static str)],
    /// What `#[serde(..)]` says of the payload, by field; of all of it, by the empty name.
    pub serde: &'static [(&'static str, &'static str)],
    /// Names that it had in earlier versions.
    pub was: &'static [&'static str],
    /// When it recurs, if it is declared to.
    pub recurs: Option<Recurs>,
    pub(crate) run: Runner,
    pub(crate) prepare: Prepare,
}

impl TaskEntry {
    /// The entry of the task `T`, followed by its own arms `R`.
    pub const fn of<T: Task, R: Route<T>>(
        location: Location,
        options: TaskOptions,
        needs: fn() -> Vec<Need>,
        edges: &'static [EdgeEntry],
    ) -> Self {
        Self {
            name: <T as Task>::NAME,
            location,
            options,
            on_cancel: R::ON_CANCEL,
            needs,
            edges,
            fields: &[],
            serde: &[],
            was: &[],
            recurs: None,
            run: attempt_runner::<T, R>,
            prepare: prepare_stored::<T>,
        }
    }

    /// Its payload has these fields.
    #[must_use]
    pub const fn with_fields(self, fields: &'static [(&'static str, &'static str)]) -> Self {
        Self { fields, ..self }
    }

    /// This is how serde stores them.
    #[must_use]
    pub const fn with_serde(self, serde: &'static [(&'static str, &'static str)]) -> Self {
        Self { serde, ..self }
    }

    /// It had these names before.
    #[must_use]
    pub const fn with_was(self, was: &'static [&'static str]) -> Self {
        Self { was, ..self }
    }

    /// It recurs.
    #[must_use]
    pub const fn with_schedule(self, recurs: Recurs) -> Self {
        Self { recurs: Some(recurs), ..self }
    }

    /// The task that a workflow with edges of its own gets when a run of it ends.
    pub const fn end_of<W: Work, R: Route<W>>(location: Location, edges: &'static [EdgeEntry]) -> Self {
        Self {
            name: W::NAME,
            location,
            options: TaskOptions::DEFAULT,
            on_cancel: false,
            needs: Vec::new,
            edges,
            fields: &[],
            serde: &[],
            was: &[],
            recurs: None,
            run: end_runner::<W, R>,
            prepare: prepare_stored::<W>,
        }
    }
}

/// Makes what the store adds from a stored payload.
pub type Prepare = fn(&[u8], Draft) -> Result<NewWork, CodecError>;

/// Makes what the store adds from the stored payload of a `W`.
pub fn prepare_stored<W: Work>(payload: &[u8], draft: Draft) -> Result<NewWork, CodecError> {
    W::decode(payload)?.prepare(draft)
}

/// What the macro knows of one step of a workflow block.
#[derive(Debug)]
pub struct StepEntry {
    /// The step's stored name.
    pub name: &'static str,
    /// What it does.
    pub does: Does,
    /// Whether it has an `on_cancel` arm.
    pub on_cancel: bool,
    /// Its arms.
    pub edges: &'static [EdgeEntry],
    /// The earlier steps whose outputs its arms name, in the order in which `Stored::earlier` counts them.
    pub earlier: &'static [&'static str],
    /// Whether its arms name the input of the run.
    pub asks_input: bool,
    /// The type of the value that it waits for, as it was written.
    pub value: Option<&'static str>,
    /// Names that it had in earlier versions.
    pub was: &'static [&'static str],
    /// How long it waits for its signal.
    pub patience: Option<Duration>,
    pub(crate) assemble: Option<Assemble>,
    pub(crate) run: Runner,
}

/// Makes the payload of a joined step from the outputs of the members, as JSON to JSON.
pub(crate) type Assemble = fn(&[u8]) -> Result<Vec<u8>, CodecError>;

/// What a step does.
#[derive(Debug, Clone, Copy)]
pub enum Does {
    /// It runs a task.
    Task(fn() -> &'static TaskEntry),
    /// It runs a workflow.
    Workflow(fn() -> &'static WorkflowEntry),
    /// It waits for a value from outside.
    Signal,
}

impl StepEntry {
    /// The step `name`, which runs `T` and is followed by the arms `R`.
    pub const fn of<T: Task, R: Route<T>>(name: &'static str, edges: &'static [EdgeEntry]) -> Self {
        Self::new(name, Does::Task(T::entry), edges, R::ON_CANCEL, attempt_runner::<T, R>)
    }

    /// The step `name`, which runs the workflow `W`.
    pub const fn workflow<W: Workflow, R: Route<W>>(name: &'static str, edges: &'static [EdgeEntry]) -> Self {
        Self::new(name, Does::Workflow(W::entry), edges, R::ON_CANCEL, sub_run_runner::<W, R>)
    }

    /// The step `name`, which runs the task or workflow `W`, as its type says.
    pub const fn step<W, R>(name: &'static str, edges: &'static [EdgeEntry]) -> Self
    where
        W: Work + Step<Kind: RunBy<W, R>>,
        R: Route<W>,
    {
        let running = <W::Kind as RunBy<W, R>>::DOES;
        Self::new(name, running.does, edges, R::ON_CANCEL, running.run)
    }

    /// The step `name`, which waits for the value of `S` from outside.
    pub const fn signal<S: Awaited, R: Route<Signal<S>>>(name: &'static str, edges: &'static [EdgeEntry]) -> Self {
        Self::new(name, Does::Signal, edges, R::ON_CANCEL, signal_runner::<S, R>)
    }

    const fn new(name: &'static str, does: Does, edges: &'static [EdgeEntry], on_cancel: bool, run: Runner) -> Self {
        Self {
            name,
            does,
            on_cancel,
            edges,
            earlier: &[],
            asks_input: false,
            value: None,
            was: &[],
            patience: None,
            assemble: None,
            run,
        }
    }

    /// Its arms name the outputs of these steps.
    #[must_use]
    pub const fn with_earlier(self, earlier: &'static [&'static str]) -> Self {
        Self { earlier, ..self }
    }

    /// Its arms name the input of the run.
    #[must_use]
    pub const fn with_input(self) -> Self {
        Self { asks_input: true, ..self }
    }

    /// It waits for a value of this type, as it was written.
    #[must_use]
    pub const fn with_value(self, value: &'static str) -> Self {
        Self { value: Some(value), ..self }
    }

    /// It waits so long for its signal.
    #[must_use]
    pub const fn with_patience(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// It had these names before.
    #[must_use]
    pub const fn with_was(self, was: &'static [&'static str]) -> Self {
        Self { was, ..self }
    }

    /// It follows a join of these members.
    #[must_use]
    pub const fn joined<W, M>(self) -> Self
    where
        W: Joins<M::Value> + Step<Kind: TaskKind<W> + AfterJoin<W>>,
        M: Members,
    {
        Self { assemble: Some(assemble::<W, M>), ..self }
    }

    /// How its task runs.
    pub(crate) fn options(&self) -> TaskOptions {
        match self.does {
            Does::Task(task) => task().options,
            Does::Workflow(_) | Does::Signal => TaskOptions::DEFAULT,
        }
    }

    /// The stored name of what it does.
    pub(crate) fn does_name(&self) -> &'static str {
        match self.does {
            Does::Task(task) => task().name,
            Does::Workflow(workflow) => workflow().name,
            Does::Signal => SIGNAL,
        }
    }
}

/// The stored name of a step that waits for a signal; no task's name has a bracket.
pub(crate) const SIGNAL: &str = "(signal)";

fn assemble<W: Joins<M::Value>, M: Members>(outputs: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut stored = Vec::new();
    W::join(M::read(outputs)?).encode(&mut stored)?;
    Ok(stored)
}

/// A join of a workflow block: the step `then` gets the outputs of all members.
#[derive(Debug)]
pub struct JoinEntry {
    /// Its name: that of the step that follows.
    pub name: &'static str,
    /// The members' steps, and whether each is an `each`.
    pub members: &'static [(&'static StepEntry, bool)],
    /// Whether the members may fail, and come as `Result`s.
    pub settled: bool,
    /// The step that follows.
    pub then: &'static StepEntry,
}

/// One edge, as it was declared.
#[derive(Debug, Clone, Copy)]
pub struct EdgeEntry {
    /// The arm, as it was written.
    pub on: &'static str,
    /// Where it leads.
    pub to: Target,
    /// The pause before, as it was written.
    pub after: Option<&'static str>,
    /// How many tasks of an `each` run at once, or how often a run may take the step.
    pub limit: Option<u32>,
}

/// Where an edge leads.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// To a step of the same block.
    Step(&'static str),
    /// To a step of the same block, once for each item.
    Each(&'static str),
    /// To the step that a join leads to.
    Join(&'static str),
    /// To the step that undoes this one.
    Undo(&'static str),
    /// The run fails, and undoes what completed.
    Rollback,
    /// To a task or a workflow of a standing chain.
    Work(fn() -> Registered),
    /// The run has its output.
    Done,
    /// The run fails.
    Fail,
    /// The branch ends.
    End,
}

/// What the macro knows of a workflow.
#[derive(Debug)]
pub struct WorkflowEntry {
    /// The stored name.
    pub name: &'static str,
    /// Where it was declared.
    pub location: Location,
    /// The author's version of it.
    pub version: u32,
    /// The longest that a run may take.
    pub timeout: Option<Duration>,
    /// What a run's output is until a step says otherwise.
    pub output: InitialOutput,
    /// Its steps.
    pub body: Body,
    /// Its joins.
    pub joins: &'static [&'static JoinEntry],
    /// Its own edges, for the attribute form.
    pub end: Option<TaskEntry>,
    /// The fields of its payload, each with its type as it was written.
    pub fields: &'static [(&'static str, &'static str)],
    /// What `#[serde(..)]` says of the payload, by field; of all of it, by the empty name.
    pub serde: &'static [(&'static str, &'static str)],
    /// What it promises, as it was written.
    pub promises: Option<&'static str>,
    /// Names that it had in earlier versions.
    pub was: &'static [&'static str],
    /// When it recurs, if it is declared to.
    pub recurs: Option<Recurs>,
    /// What identifies its shape.
    pub fingerprint: Fingerprint,
    /// Makes a run from a stored payload.
    pub prepare: Prepare,
}

/// What identifies the shape of a workflow; computed once.
#[derive(Debug)]
pub struct Fingerprint(OnceLock<u64>);

impl Fingerprint {
    /// Not computed yet.
    #[allow(clippy::declare_interior_mutable_const)]
    pub const NEW: Self = Self(OnceLock::new());
}

/// The steps of a workflow.
#[derive(Debug)]
pub enum Body {
    /// A block: its own steps, the first one first.
    Block(&'static [&'static StepEntry]),
    /// The attribute form: the first task, and its standing chain.
    Chain(fn() -> Registered),
}

/// The output of a run before any step gave one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitialOutput {
    /// It is promised: a run that ends without one has failed.
    Promised,
    /// `()`: a block without an output.
    Unit,
    /// The run's own payload: the attribute form.
    Input,
}

impl InitialOutput {
    pub(crate) fn of(self, input: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Promised => None,
            Self::Unit => Some(b"null".to_vec()),
            Self::Input => Some(input.to_vec()),
        }
    }
}

/// A task or a workflow, as the macro knows it.
#[derive(Debug, Clone, Copy)]
pub enum Registered {
    /// A task.
    Task(&'static TaskEntry),
    /// A workflow.
    Workflow(&'static WorkflowEntry),
    /// A step that waits for a signal, which is registered with its workflow.
    Signal,
}

impl Registered {
    /// Its stored name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Task(entry) => entry.name,
            Self::Workflow(entry) => entry.name,
            Self::Signal => SIGNAL,
        }
    }

    /// When it recurs, if it is declared to.
    pub(crate) const fn recurs(&self) -> Option<Recurs> {
        match self {
            Self::Task(entry) => entry.recurs,
            Self::Workflow(entry) => entry.recurs,
            Self::Signal => None,
        }
    }

    /// Where it was declared.
    pub const fn location(&self) -> Location {
        match self {
            Self::Task(entry) => entry.location,
            Self::Workflow(entry) => entry.location,
            Self::Signal => Location { file: file!(), line: line!() },
        }
    }
}

impl WorkflowEntry {
    /// What identifies the shape of the workflow: its version, its steps, edges, joins and limits, whatever machine asks.
    pub fn fingerprint(&self) -> u64 {
        *self.fingerprint.0.get_or_init(|| {
            // FNV-1a, 64 bits.
            let text = format!("{}\0{}", crate::snapshot::section(self), self.graph().mermaid());
            text.bytes()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        })
    }

    /// The static graph.
    pub fn graph(&self) -> Graph {
        Graph::of(self)
    }
}
