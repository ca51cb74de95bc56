//! Every way to fail: recorded, retried, routed.

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use evertask::prelude::*;
use evertask::store::{TaskFilter, TaskState};
use evertask::{FailureKind, RunError, workflow};
use serde::{Deserialize, Serialize};

use crate::{on_each_store, worker};

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum BakeError {
    #[error("the oven is cold")]
    Cold,
    #[error("{0} loaves are burnt")]
    Burnt(u32),
}

impl BakeError {
    fn is_cold(&self) -> bool {
        *self == Self::Cold
    }
}

/// How an attempt goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum How {
    Well,
    Cold,
    Burnt,
    Panics,
    TakesLong,
    PanicsOnDrop,
    PanicsOnlyFirst,
}

struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0 || std::thread::panicking(), "the bomb went off");
    }
}

#[task(timeout = "50ms", retry(times = 1, backoff = fixed("1ms")), retry_if = BakeError::is_cold)]
async fn bake(how: How, cx: &Context) -> Result<u32, BakeError> {
    let _bomb = Bomb(how == How::PanicsOnDrop);
    match how {
        How::Well | How::PanicsOnDrop => Ok(12),
        How::Cold => Err(BakeError::Cold),
        How::Burnt => Err(BakeError::Burnt(12)),
        How::Panics => panic!("the oven fell over"),
        How::PanicsOnlyFirst if cx.attempt() == 1 => panic!("once"),
        How::PanicsOnlyFirst => Ok(1),
        How::TakesLong => std::future::pending().await,
    }
}

#[task]
async fn write_down(what: String) -> Result<String, Infallible> {
    Ok(what)
}

workflow! {
    /// Bakes, and says how it went.
    Bake<How -> String> {
        bake {
            on_ok(loaves)                   => done(format!("{loaves} loaves")),
            on_err(BakeError::Burnt(loaves)) => write_down { what: format!("burnt {loaves}") },
            on_timeout(f)                   => write_down { what: format!("too slow: {:?}", f.payload.how) },
            on_failure(f)                   => write_down { what: format!("{f} after {}", f.attempts) },
        }
    }
}

on_each_store! {
    async fn each_failure_takes_its_arm(dispatcher) {
        let worker = worker(&dispatcher).await;
        let ways = [
            (How::Well, "12 loaves"),
            (How::Cold, "the oven is cold after 2"),
            (How::Burnt, "burnt 12"),
            (How::Panics, "panicked: the oven fell over after 2"),
            (How::PanicsOnDrop, "panicked: the bomb went off after 2"),
            (How::PanicsOnlyFirst, "1 loaves"),
            (How::TakesLong, "too slow: TakesLong"),
        ];
        for (how, outcome) in ways {
            let run = dispatcher.dispatch(Bake(how.clone())).await.unwrap();
            assert_eq!(run.wait().await.unwrap(), outcome, "{how:?}");
        }
        worker.shutdown().await;
    }

    async fn an_error_comes_back_typed(dispatcher) {
        let worker = worker(&dispatcher).await;
        let baked = dispatcher.dispatch(bake { how: How::Burnt }).await.unwrap();
        let Err(RunError::Failed { report, error }) = baked.wait().await else { panic!("it can't succeed") };
        assert_eq!(error, Some(BakeError::Burnt(12)));
        assert_eq!((report.kind, report.attempts, report.task.as_str()), (FailureKind::Error, 1, "bake"));
        let slow = dispatcher.dispatch(bake { how: How::TakesLong }).await.unwrap();
        let Err(RunError::Failed { report, error }) = slow.wait().await else { panic!("it can't succeed") };
        assert_eq!((report.kind, report.attempts, error), (FailureKind::Timeout, 2, None));
        worker.shutdown().await;
    }

    async fn every_attempt_that_fails_is_kept(dispatcher) {
        let worker = worker(&dispatcher).await;
        let task = dispatcher.dispatch(bake { how: How::PanicsOnlyFirst }).await.unwrap();
        assert_eq!(task.wait().await.unwrap(), 1);
        let attempts = dispatcher.attempts(task.id()).await.unwrap();
        assert_eq!(attempts.len(), 1);
        assert_eq!((attempts[0].fence, attempts[0].report.kind), (1, FailureKind::Panic));
        let record = dispatcher.get(task.id()).await.unwrap().unwrap();
        assert_eq!((record.state, record.fence, record.failures), (TaskState::Succeeded, 2, 1));
        worker.shutdown().await;
    }

    async fn a_run_fails_with_what_no_arm_takes_and_stops_the_rest(dispatcher) {
        let worker = worker(&dispatcher).await;
        let run = dispatcher.dispatch(TwoWays(How::Burnt)).await.unwrap();
        let Err(RunError::Failed { report, .. }) = run.wait().await else { panic!("it can't succeed") };
        assert_eq!((report.task.as_str(), report.message.as_str()), ("bake", "12 loaves are burnt"));
        let waiting = dispatcher.list(TaskFilter::new().run(run.id()).name("write_down")).await.unwrap();
        assert_eq!(waiting[0].state, TaskState::Cancelled);
        worker.shutdown().await;
    }

    async fn hooks_are_side_notes(dispatcher) {
        let worker = worker(&dispatcher).await;
        let task = dispatcher.dispatch(Knead { id: dispatcher_id(&dispatcher), minutes: 3 }).await.unwrap();
        assert_eq!(task.wait().await.unwrap(), 3);
        let seen: Vec<_> = HOOKS.lock().unwrap().iter().filter(|(of, _)| *of == dispatcher_id(&dispatcher)).map(|(_, what)| what.clone()).collect();
        assert_eq!(seen, ["started 1", "retry: too dry", "started 2", "completed 3"]);
        worker.shutdown().await;
    }
}

#[task]
async fn split(how: How) -> Result<How, Infallible> {
    Ok(how)
}

workflow! {
    /// One branch fails while the other waits.
    TwoWays<How> {
        split { on_ok(how) => [bake { how }, later { what: "an hour later".into() } after "1h"] }
        bake { on_ok => end }
        later = write_down { on_ok => end }
    }
}

static HOOKS: Mutex<Vec<(usize, String)>> = Mutex::new(Vec::new());

/// Tells the tests of the two stores apart, which run in one process.
fn dispatcher_id(dispatcher: &evertask::Dispatcher) -> usize {
    std::sync::Arc::as_ptr(dispatcher.store()).cast::<()>() as usize
}

#[task(retry(times = 1, backoff = fixed("1ms")))]
#[derive(Serialize, Deserialize)]
struct Knead {
    id: usize,
    minutes: u32,
}

impl Knead {
    fn note(&self, what: String) {
        HOOKS.lock().unwrap().push((self.id, what));
    }
}

impl Handler for Knead {
    type Output = u32;
    type Error = String;

    async fn run(self, cx: &Context) -> Result<u32, String> {
        if cx.attempt() == 1 { Err("too dry".into()) } else { Ok(self.minutes) }
    }

    async fn on_started(&self, cx: &Context) {
        self.note(format!("started {}", cx.attempt()));
        assert!(cx.attempt() == 1, "a panic in a hook");
    }

    async fn on_retry(&self, cause: &Cause<String>, _: Duration, _: &Context) {
        self.note(format!("retry: {cause}"));
        panic!("a panic in another hook");
    }

    async fn on_completed(&self, output: &u32, _: &Context) {
        self.note(format!("completed {output}"));
    }
}
