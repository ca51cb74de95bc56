//! Chains and workflows: the static graph, and what follows when a task ends.
//!
//! `graph` is what can follow what, for people. `route` is how an ended task becomes the work that
//! follows it: generated code fills a [`Next`], and the store commits it with the task's end.
//! `end` is the one extra task that a workflow with edges of its own gets when its run ends.

pub(crate) mod end;
pub(crate) mod graph;
mod kinds;
mod members;
pub(crate) mod next;
pub(crate) mod route;
mod signal;

pub use graph::{Edge, EdgeEnd, EdgeKind, Graph, GraphStep, RunProgress, StepProgress, StepState};
pub use kinds::{
    AfterJoin, Keyed, Kind, OfSignal, OfTask, OfWorkflow, RunBy, Running, TaskKind, Unkeyed, each, follow, undo,
};
pub use members::{EachOf, Joins, Member, Members, One, Settled};
pub use next::{Draft, Edge as NextEdge, Next, pause};
pub use route::{Ended, Fault, Route, RouteError, Stored};
pub use signal::{Awaited, Signal, SignalKey};
