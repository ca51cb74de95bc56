//! Durable background tasks and workflows, checked by the compiler.

// Generated code says `::evertask`, here too.
extern crate self as evertask;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod context;
mod dispatch;
mod dispatcher;
mod duration;
mod failure;
mod handle;
mod id;
mod payload;
pub mod registry;
mod schedule;
pub mod snapshot;
pub mod store;
mod task;
#[cfg(feature = "testing")]
pub mod testing;
mod worker;
pub mod workflow;

pub use context::{Context, Reschedule};
pub use dispatch::{Dispatch, DispatchError, DispatchOptions, IntoDispatch, MAX_KEY, MAX_PAYLOAD};
pub use dispatcher::{Dispatcher, OpenError};
pub use duration::{DurationError, IntoDuration, parse_duration};
pub use failure::{Cancelled, Cause, Failure, FailureKind, FailureReport};
pub use handle::{Handle, RunError, Status};
pub use id::{RunId, TaskId, WorkId, WorkerId};
pub use payload::{CodecError, Payload};
pub use schedule::{
    Backoff, ByCron, Clock, Cron, CronError, CronFault, CronField, Daily, Exclusion, ExclusionError, FieldFault,
    HasTimeOfDay, Interval, IntoSchedule, MOST_AT_ONCE, Misfire, Monthly, Pauses, Plan, Retry, Schedule,
    ScheduleBuilder, ScheduleError, Slot, SystemClock, Timestamp, Weekday, Weekly, When, cron, every, every_day,
    every_month, every_week,
};
pub use task::{Accepts, AcceptsFailure, Handler, Task, TaskOptions, Work, Workflow};
pub use worker::{Health, Queue, Shutdown, StartError, Worker, WorkerBuilder};

/// The queue of tasks that name none.
pub const DEFAULT_QUEUE: &str = "default";

pub use evertask_macros::workflow;

/// What most programs want: `use evertask::{prelude::*, workflow};`.
///
/// The attribute `#[workflow]` is here and the block macro [`workflow!`](crate::workflow!) is at the root,
/// because one module can't export two macros of one name; a program that imports both lines has both.
pub mod prelude {
    pub use crate::{
        Cancelled, Cause, Context, Dispatch, DispatchOptions, Failure, FailureReport, Handler, Task, Work, Workflow,
    };
    pub use evertask_macros::{task, workflow_attribute as workflow};
}

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
