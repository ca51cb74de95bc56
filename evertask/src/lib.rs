//! Durable background tasks and workflows, checked by the compiler.

// Generated code says `::evertask`, here too.
extern crate self as evertask;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod advice;
mod context;
mod dead_letters;
mod dispatch;
mod dispatcher;
mod duration;
mod failure;
mod handle;
mod id;
mod limits;
mod maintenance;
mod payload;
mod rate;
pub mod registry;
mod room;
mod schedule;
mod schedules;
pub mod snapshot;
pub mod store;
mod task;
mod terms;
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;
mod worker;
pub mod workflow;

pub use advice::{RetryAdvice, RetryHint};
#[cfg(feature = "postgres")]
pub use context::CompleteError;
pub use context::{Context, Reschedule};
pub use dead_letters::{DeadLetter, DeadLetterError, DeadLetters};
pub use dispatch::{Dispatch, DispatchError, DispatchOptions, IntoDispatch, MAX_KEY, MAX_PAYLOAD};
pub use dispatcher::{Dispatcher, OpenError};
pub use duration::{DurationError, IntoDuration, parse_duration};
pub use failure::{Cancelled, Cause, Failure, FailureKind, FailureReport};
pub use handle::{Handle, RunError, Status};
pub use id::{RunId, TaskId, WorkId, WorkerId};
pub use limits::Limit;
pub use maintenance::Retention;
pub use payload::{CodecError, Payload};
pub use rate::{IntoRate, RateError};
pub use schedule::{
    Backoff, ByCron, Clock, Cron, CronError, CronFault, CronField, Daily, Exclusion, ExclusionError, FieldFault,
    HasTimeOfDay, Interval, IntoSchedule, MOST_AT_ONCE, Misfire, Monthly, Pauses, Plan, Retry, Schedule,
    ScheduleBuilder, ScheduleError, Slot, SystemClock, Timestamp, Weekday, Weekly, When, cron, every, every_day,
    every_month, every_week,
};
pub use schedules::SchedulingError;
pub use store::{OnKey, Rate};
pub use task::{Accepts, AcceptsFailure, Handler, Task, TaskOptions, Work, Workflow};
pub use transaction::InTransaction;
pub use worker::{Health, Queue, Shutdown, StartError, Worker, WorkerBuilder};

/// The driver of SQLite that evertask was built with: its transactions are those that `dispatch_in` takes.
#[cfg(feature = "sqlite")]
pub use rusqlite;
/// The driver of PostgreSQL that evertask was built with: its transactions are those that `dispatch_in` takes.
#[cfg(feature = "postgres")]
pub use sqlx;

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

/// The examples of the guides are tests.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../docs/guides/retries.md")]
    struct Retries;
    #[doc = include_str!("../../docs/guides/queues-and-limits.md")]
    struct QueuesAndLimits;
    #[doc = include_str!("../../docs/guides/dead-letters.md")]
    struct DeadLetters;
    #[cfg(all(feature = "sqlite", feature = "postgres"))]
    #[doc = include_str!("../../docs/guides/transactions.md")]
    struct Transactions;
}
