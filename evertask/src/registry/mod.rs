//! What this program can run: collected by `inventory` or by hand, sorted, and checked as a whole at start.
//! `entries` is what the macros know of each.

#[cfg(feature = "postgres")]
mod by_name;
mod entries;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(crate) use entries::SIGNAL;
pub use entries::{
    Body, Does, EdgeEntry, Fingerprint, InitialOutput, JoinEntry, Location, Need, Prepare, Recurs, Registered,
    StepEntry, Target, TaskEntry, WorkflowEntry, prepare_stored,
};

use crate::context::Data;
use crate::store::{Known, StepOf};
use crate::task::{TaskOptions, Work};
use crate::worker::Runner;

/// What a macro submits to `inventory`.
#[derive(Debug, Clone, Copy)]
pub struct Submission(pub fn() -> Registered);

inventory::collect!(Submission);

/// What a program can run.
///
/// ```
/// use evertask::{prelude::*, registry::Registry};
///
/// #[task]
/// async fn knock() -> Result<(), String> {
///     Ok(())
/// }
///
/// assert!(Registry::collect().tasks().any(|task| task.name == "knock"));
/// assert_eq!(Registry::default().add::<knock>().tasks().count(), 1);
/// ```
///
/// [`Registry::collect`] finds everything that the macros registered; [`Registry::add`] adds one by hand,
/// for a platform where `inventory` finds nothing. Adding work adds all that it names, whatever crate that is from.
#[derive(Debug, Default)]
pub struct Registry {
    tasks: BTreeMap<&'static str, &'static TaskEntry>,
    workflows: BTreeMap<&'static str, &'static WorkflowEntry>,
    steps: HashMap<(&'static str, &'static str), &'static StepEntry>,
    /// Earlier names, each with the one of today.
    renamed: BTreeMap<&'static str, &'static str>,
    clashes: BTreeSet<(&'static str, String, String)>,
}

impl Registry {
    /// Everything that `#[task]`, `#[workflow]` and `workflow!` registered in the crates that this program names.
    pub fn collect() -> Self {
        let mut registry = Self::default();
        for Submission(registered) in inventory::iter::<Submission> {
            registry.insert(registered());
        }
        registry
    }

    /// Adds a task or a workflow by hand, with all that it names.
    #[must_use]
    pub fn add<W: Work>(mut self) -> Self {
        self.insert(W::registered());
        self
    }

    /// The tasks, by name.
    pub fn tasks(&self) -> impl Iterator<Item = &'static TaskEntry> {
        self.tasks.values().copied()
    }

    /// The workflows, by name.
    pub fn workflows(&self) -> impl Iterator<Item = &'static WorkflowEntry> {
        self.workflows.values().copied()
    }

    pub(crate) fn insert(&mut self, registered: Registered) {
        let mut found = vec![registered];
        while let Some(registered) = found.pop() {
            if !self.claim_name(registered) {
                continue;
            }
            match registered {
                Registered::Task(entry) => {
                    self.tasks.insert(entry.name, entry);
                    self.renamed.extend(entry.was.iter().map(|was| (*was, entry.name)));
                    found.extend(named_by(entry.edges));
                }
                Registered::Signal => {}
                Registered::Workflow(entry) => {
                    self.workflows.insert(entry.name, entry);
                    self.renamed.extend(entry.was.iter().map(|was| (*was, entry.name)));
                    found.extend(entry.end.iter().flat_map(|end| named_by(end.edges)));
                    match entry.body {
                        Body::Chain(first) => found.push(first()),
                        Body::Block(steps) => {
                            for step in steps {
                                self.steps.extend(step.names().map(|name| ((entry.name, name), *step)));
                            }
                            found.extend(steps.iter().filter_map(|step| step.does.registered()));
                        }
                    }
                }
            }
        }
    }

    /// Whether this is new under its name. The same declaration may be named often; another one of its name is a clash.
    fn claim_name(&mut self, registered: Registered) -> bool {
        let name = registered.name();
        let Some(held) = self.registered(name) else { return true };
        if !held.is_same(&registered) {
            let mut places = [held.location().to_string(), registered.location().to_string()];
            places.sort();
            let [first, second] = places;
            self.clashes.insert((name, first, second));
        }
        false
    }

    fn registered(&self, name: &str) -> Option<Registered> {
        let task = self.tasks.get(name).map(|entry| Registered::Task(entry));
        task.or_else(|| self.workflows.get(name).map(|entry| Registered::Workflow(entry)))
    }

    /// The name of today.
    fn today<'a>(&'a self, name: &'a str) -> &'a str {
        self.renamed.get(name).map_or(name, |today| *today)
    }

    /// Everything that keeps a worker with this data and these queues from starting.
    pub(crate) fn problems(&self, data: &Data, queues: &[&str]) -> Vec<Problem> {
        let mut problems: Vec<_> = self
            .clashes
            .iter()
            .map(|(name, first, second)| Problem::DuplicateName { name, first: first.clone(), second: second.clone() })
            .collect();
        for (was, name) in &self.renamed {
            if let (Some(one), Some(two)) = (self.registered(was), self.registered(name)) {
                let (name, first, second) = (*was, one.location().to_string(), two.location().to_string());
                problems.push(Problem::DuplicateName { name, first, second });
            }
        }
        let mut missing = BTreeMap::<&'static str, Vec<&'static str>>::new();
        for task in self.tasks() {
            for need in (task.needs)().iter().filter(|need| !data.has(need)) {
                missing.entry(need.type_name).or_default().push(task.name);
            }
        }
        problems.extend(missing.into_iter().map(|(data, tasks)| Problem::MissingData { data, tasks }));
        let named: BTreeSet<_> = self.queues().collect();
        for queue in queues.iter().filter(|queue| !named.contains(*queue)) {
            problems.push(Problem::UnknownQueue { queue: (*queue).to_owned(), known: named.iter().copied().collect() });
        }
        if self.tasks.is_empty() && self.workflows.is_empty() {
            problems.push(Problem::Empty);
        }
        problems
    }

    /// The queues that tasks are declared for, and `default`.
    pub(crate) fn queues(&self) -> impl Iterator<Item = &'static str> {
        self.tasks().map(|task| task.options.queue).chain([crate::DEFAULT_QUEUE])
    }

    /// What this program has under this name, of today or of before.
    pub(crate) fn known_as(&self, name: &str) -> Option<Registered> {
        self.registered(self.today(name))
    }

    /// What is declared to recur.
    pub(crate) fn recurring(&self) -> impl Iterator<Item = (Registered, Recurs)> {
        let tasks = self.tasks().map(Registered::Task);
        let all = tasks.chain(self.workflows().map(Registered::Workflow));
        all.filter_map(|registered| Some((registered, registered.recurs()?)))
    }

    /// How to make what the store adds from a stored payload of this task or workflow.
    pub(crate) fn prepare(&self, name: &str) -> Option<Prepare> {
        match self.known_as(name)? {
            Registered::Task(entry) => Some(entry.prepare),
            Registered::Workflow(entry) => Some(entry.prepare),
            Registered::Signal => None,
        }
    }

    /// How to run a claimed task.
    pub(crate) fn runner(&self, name: &str, of: Option<&StepOf>) -> Option<Found> {
        let name = self.today(name);
        let workflow = of.and_then(|of| self.workflows.get(self.today(&of.workflow)).map(|entry| entry.name));
        if let Some((of, step)) = of.and_then(|of| Some((of, of.step.as_deref()?))) {
            let step = self.steps.get(&(self.today(&of.workflow), step))?;
            let (name, options) = (step.does_name(), step.options());
            return Some(Found { name, options, step: Some(step), workflow, run: step.run });
        }
        let end = || self.workflows.get(name).and_then(|entry| entry.end.as_ref());
        let task = self.tasks.get(name).copied().or_else(end)?;
        Some(Found { name: task.name, options: task.options, step: None, workflow, run: task.run })
    }

    /// What this program can run, for the store and for other workers.
    pub(crate) fn known(&self) -> Known {
        let mut known = Known::default();
        known.tasks.extend(self.tasks.keys().map(|name| (*name).to_owned()));
        known.tasks.extend(self.workflows().filter(|entry| entry.end.is_some()).map(|entry| entry.name.to_owned()));
        for (workflow, step) in self.steps.keys() {
            known.steps.entry((*workflow).to_owned()).or_default().insert((*step).to_owned());
        }
        for (was, name) in &self.renamed {
            if known.tasks.contains(*name) {
                known.tasks.insert((*was).to_owned());
            }
            if let Some(steps) = known.steps.get(*name).cloned() {
                known.steps.insert((*was).to_owned(), steps);
            }
        }
        known
    }
}

impl Does {
    fn registered(&self) -> Option<Registered> {
        match self {
            Self::Task(task) => Some(Registered::Task(task())),
            Self::Workflow(workflow) => Some(Registered::Workflow(workflow())),
            Self::Signal => None,
        }
    }
}

impl StepEntry {
    /// Its name, and those that it had.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.was.iter().copied())
    }
}

impl Registered {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Task(one), Self::Task(two)) => std::ptr::eq(*one, *two) || one.location == two.location,
            (Self::Workflow(one), Self::Workflow(two)) => std::ptr::eq(*one, *two) || one.location == two.location,
            _ => false,
        }
    }
}

fn named_by(edges: &[EdgeEntry]) -> impl Iterator<Item = Registered> {
    edges.iter().filter_map(|edge| match edge.to {
        Target::Work(registered) => Some(registered()),
        _ => None,
    })
}

/// How to run a claimed task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) name: &'static str,
    pub(crate) options: TaskOptions,
    pub(crate) step: Option<&'static StepEntry>,
    pub(crate) workflow: Option<&'static str>,
    pub(crate) run: Runner,
}

/// One reason why a worker does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Two declarations have one stored name.
    #[error(
        "two tasks are named `{name}`: at {first} and at {second}; rename one, or give it `#[task(name = \"..\")]`"
    )]
    DuplicateName {
        /// The name.
        name: &'static str,
        /// Where.
        first: String,
        /// And where.
        second: String,
    },
    /// A value that tasks borrow was not given.
    #[error("no `{data}` was given with `.data(..)`; needed by {}", list(tasks))]
    MissingData {
        /// The type.
        data: &'static str,
        /// The tasks that need it.
        tasks: Vec<&'static str>,
    },
    /// A queue was set up that no task is declared for.
    #[error("no task is declared for the queue `{queue}`; there are {}", list(known))]
    UnknownQueue {
        /// The queue.
        queue: String,
        /// Those that tasks are declared for.
        known: Vec<&'static str>,
    },
    /// A setting of the worker can't be read.
    #[error(transparent)]
    Setting(#[from] crate::DurationError),
    /// A schedule that is declared with a task or workflow is none.
    #[error("the schedule of `{name}`, at {place}: {mistake}")]
    Schedule {
        /// The task or workflow.
        name: &'static str,
        /// Where.
        place: String,
        /// What is wrong.
        mistake: String,
    },
    /// The rate of a queue can't be read.
    #[error("the queue `{queue}`: {mistake}")]
    Rate {
        /// The queue.
        queue: String,
        /// What is wrong.
        mistake: crate::RateError,
    },
    /// Nothing is registered.
    #[error(
        "no task is registered: name the crate that declares them (`use jobs as _;`), or add them with `.task::<T>()`"
    )]
    Empty,
}

fn list(names: &[&'static str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
