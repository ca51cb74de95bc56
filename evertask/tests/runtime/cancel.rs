//! Cancelling what waits, what runs, and runs.

use std::convert::Infallible;
use std::sync::Arc;

use evertask::prelude::*;
use evertask::store::{CancelOutcome, Selection, TaskFilter, TaskState};
use evertask::{RunError, workflow};
use tokio::sync::Semaphore;

use crate::on_each_store;

struct Begun(Semaphore);

impl Begun {
    fn new() -> Arc<Self> {
        Arc::new(Self(Semaphore::new(0)))
    }

    async fn once(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// Looks at no token.
#[task(on_cancel(f) => sweep { what: f.payload.what })]
async fn grind(what: String, cx: &Context) -> Result<(), Infallible> {
    if let Some(begun) = cx.data::<Begun>() {
        begun.0.add_permits(1);
    }
    drop(what);
    std::future::pending().await
}

/// Succeeds all the same.
#[task]
async fn insist(cx: &Context) -> Result<u32, Infallible> {
    if let Some(begun) = cx.data::<Begun>() {
        begun.0.add_permits(1);
    }
    cx.cancelled().await;
    Ok(1)
}

#[task]
async fn sweep(what: String) -> Result<String, Infallible> {
    Ok(what)
}

#[task]
async fn begin(what: String) -> Result<String, Infallible> {
    Ok(what)
}

workflow! {
    /// A step that never ends by itself, and one that waits.
    Mill<String> {
        begin {
            on_ok(what) => [grind { what: what.clone() }, later { what } after "1h"],
        }
        grind {
            on_ok        => end,
            on_cancel(f) => tidy { what: f.payload.what },
        }
        later = sweep { on_ok => end }
        tidy = sweep { on_ok => end }
    }
}

on_each_store! {
    async fn a_running_task_ends_after_its_grace_and_its_arm_follows(dispatcher) {
        let begun = Begun::new();
        let worker = crate::settings(&dispatcher).data_dyn(begun.clone()).grace("10ms").start().await.unwrap();
        let task = dispatcher.dispatch(grind { what: "flour".into() }).await.unwrap();
        begun.once().await;
        assert_eq!(task.cancel().await.unwrap(), CancelOutcome::Requested);
        assert!(matches!(task.wait().await, Err(RunError::Cancelled { .. })));
        let swept = dispatcher.list(TaskFilter::new().name("sweep")).await.unwrap();
        assert_eq!(dispatcher.handle::<sweep>(swept[0].id).wait().await.unwrap(), "flour");
        assert_eq!(task.cancel().await.unwrap(), CancelOutcome::AlreadyFinished);
        worker.shutdown().await;
    }

    async fn a_task_that_succeeds_all_the_same_has_succeeded(dispatcher) {
        let begun = Begun::new();
        let worker = crate::settings(&dispatcher).data_dyn(begun.clone()).start().await.unwrap();
        let task = dispatcher.dispatch(insist {}).await.unwrap();
        begun.once().await;
        task.cancel().await.unwrap();
        assert_eq!(task.wait().await.unwrap(), 1);
        worker.shutdown().await;
    }

    async fn a_task_that_waits_with_an_arm_is_ended_by_a_worker(dispatcher) {
        let task = dispatcher.dispatch(grind { what: "rye".into() }.after("1h")).await.unwrap();
        assert_eq!(task.cancel().await.unwrap(), CancelOutcome::Requested);
        let worker = crate::worker(&dispatcher).await;
        assert!(matches!(task.wait().await, Err(RunError::Cancelled { .. })));
        let swept = dispatcher.list(TaskFilter::new().name("sweep")).await.unwrap();
        assert_eq!(dispatcher.handle::<sweep>(swept[0].id).wait().await.unwrap(), "rye");
        worker.shutdown().await;
    }

    async fn a_cancelled_run_stops_what_runs_and_what_waits_and_runs_its_arm(dispatcher) {
        let begun = Begun::new();
        let worker = crate::settings(&dispatcher).data_dyn(begun.clone()).grace("1ms").start().await.unwrap();
        let run = dispatcher.dispatch(Mill("oats".into())).await.unwrap();
        begun.once().await;
        assert_eq!(run.cancel().await.unwrap(), CancelOutcome::Requested);
        assert!(matches!(run.wait().await, Err(RunError::Cancelled { .. })));
        let states: Vec<_> = dispatcher
            .list(TaskFilter::new().run(run.id()))
            .await
            .unwrap()
            .into_iter()
            .map(|task| (task.step.unwrap_or_default(), task.state))
            .collect();
        assert!(states.contains(&("grind".into(), TaskState::Cancelled)), "{states:?}");
        assert!(states.contains(&("later".into(), TaskState::Cancelled)), "{states:?}");
        assert!(states.contains(&("tidy".into(), TaskState::Succeeded)), "{states:?}");
        worker.shutdown().await;
    }

    async fn many_are_cancelled_in_one_go(dispatcher) {
        let tasks = (0..20).map(|n| begin { what: n.to_string() }.after("1h").correlation_id("batch"));
        let handles = dispatcher.dispatch_all(tasks).await.unwrap();
        let cancelled = dispatcher.cancel_all(Selection::Correlation("batch".into())).await.unwrap();
        assert_eq!(cancelled.len(), 20);
        for handle in handles {
            assert!(matches!(handle.wait().await, Err(RunError::Cancelled { .. })));
        }
        let unknown = dispatcher.cancel(evertask::TaskId::new()).await.unwrap();
        assert_eq!(unknown, CancelOutcome::NotFound);
    }
}
