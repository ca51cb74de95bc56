//! What the cases are made of: a store on a manual clock, and short words for work and verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::DEFAULT_QUEUE;
use crate::failure::{FailureKind, FailureReport};
use crate::id::{RunId, TaskId, WorkId};
use crate::schedule::{Clock as _, Timestamp};
use crate::store::{
    CancelOutcome, Follow, Known, NewRun, NewTask, NewWork, ParkReason, Reply, RunRecord, RunState, Selection, StepOf,
    Store, TaskFilter, TaskRecord, TaskState, Verdict,
};
use crate::testing::ManualClock;

use super::worker::TestWorker;

/// The tasks that a worker of the suite knows; `flow` is also the name of its workflow.
pub(super) const TASKS: [&str; 4] = ["send", "charge", "ship", "flow"];
/// The steps that it has of the workflow `flow`.
pub(super) const STEPS: [&str; 7] = ["one", "two", "three", "four", "gather", "undo", "inner"];

/// A store to be tested, on a clock that stands still.
#[derive(Clone)]
pub struct Bench {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Its clock.
    pub clock: ManualClock,
}

impl Bench {
    /// Adds a task that must be new.
    pub(super) async fn add(&self, task: NewTask) -> TaskId {
        let id = task.id;
        let dispatched = self.store.dispatch(vec![NewWork::Task(task)]).await.expect("the task is added");
        assert_eq!(dispatched.len(), 1);
        assert_eq!((dispatched[0].id, dispatched[0].existing), (id.into(), false));
        id
    }

    /// Starts a run that must be new.
    pub(super) async fn start(&self, run: NewRun) -> RunId {
        let id = run.id;
        let dispatched = self.store.dispatch(vec![NewWork::Run(Box::new(run))]).await.expect("the run is added");
        assert_eq!((dispatched[0].id, dispatched[0].existing), (id.into(), false));
        id
    }

    /// A worker that knows everything.
    pub(super) async fn worker(&self) -> TestWorker {
        self.worker_knowing(everything()).await
    }

    pub(super) async fn worker_knowing(&self, knows: Known) -> TestWorker {
        TestWorker::attach(Arc::clone(&self.store), "the bench", knows).await
    }

    pub(super) async fn task(&self, id: TaskId) -> TaskRecord {
        self.find(id).await.expect("the task is there")
    }

    pub(super) async fn find(&self, id: TaskId) -> Option<TaskRecord> {
        self.store.task(id).await.expect("the task is read")
    }

    pub(super) async fn run(&self, id: RunId) -> RunRecord {
        self.store.run(id).await.expect("the run is read").expect("the run is there")
    }

    pub(super) async fn state(&self, id: TaskId) -> TaskState {
        self.task(id).await.state
    }

    pub(super) async fn run_state(&self, id: RunId) -> RunState {
        self.run(id).await.state
    }

    pub(super) async fn cancel(&self, id: impl Into<WorkId>) -> CancelOutcome {
        let id = id.into();
        let answers = self.store.cancel(Selection::Ids(vec![id])).await.expect("the cancel is answered");
        assert_eq!(answers.len(), 1, "one answer for one id");
        assert_eq!(answers[0].0, id);
        answers[0].1
    }

    /// Every task, up to many.
    pub(super) async fn all_tasks(&self) -> Vec<TaskRecord> {
        self.store.tasks(TaskFilter { limit: Some(100_000), ..TaskFilter::default() }).await.expect("tasks are listed")
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Everything that the suite's work needs.
pub(super) fn everything() -> Known {
    knowing(&TASKS, &STEPS)
}

pub(super) fn knowing(tasks: &[&str], steps: &[&str]) -> Known {
    let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<String>>();
    let steps = if steps.is_empty() { BTreeMap::new() } else { BTreeMap::from([("flow".to_owned(), texts(steps))]) };
    Known { tasks: texts(tasks), steps }
}

/// A plain task of this name.
pub(super) fn task(name: &'static str) -> NewTask {
    NewTask {
        terms: None,
        id: TaskId::new(),
        name: name.into(),
        queue: DEFAULT_QUEUE.into(),
        priority: 0,
        delay: Duration::ZERO,
        at: None,
        payload: b"{}".to_vec(),
        key: None,
        correlation: None,
        parent: None,
        of: None,
        cancel_routed: false,
        wait: None,
        visits: None,
        was: &[],
    }
}

pub(super) fn send() -> NewTask {
    task("send")
}

/// A step of a run of `flow`.
pub(super) fn step(run: RunId, step: &'static str) -> NewTask {
    NewTask { of: Some(StepOf { run, workflow: "flow".into(), step: Some(step.into()) }), ..task("send") }
}

/// A run of `flow`, which promises an output, at its step `one`.
pub(super) fn flow() -> NewRun {
    let id = RunId::new();
    NewRun {
        on_key: crate::store::OnKey::Return,
        id,
        workflow: "flow".into(),
        version: 3,
        input: b"{\"order\":7}".to_vec(),
        output: None,
        key: None,
        correlation: None,
        parent: None,
        timeout: None,
        end_routed: false,
        first: step(id, "one"),
        step: None,
        fingerprint: u64::MAX - 7,
    }
}

pub(super) fn works(tasks: impl IntoIterator<Item = NewTask>) -> Vec<NewWork> {
    tasks.into_iter().map(NewWork::Task).collect()
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn report(message: &str) -> FailureReport {
    FailureReport::new("send", TaskId::new().uuid(), FailureKind::Error, message.to_owned(), 1)
}

/// What follows: these tasks.
pub(super) fn then(tasks: impl IntoIterator<Item = NewTask>) -> Follow {
    Follow { work: works(tasks), ..Follow::default() }
}

/// What follows: the run's output.
pub(super) fn done(json: &str) -> Follow {
    Follow { output: Some(json.as_bytes().to_vec()), ..Follow::default() }
}

/// What follows: the run fails.
pub(super) fn fails(message: &str) -> Follow {
    Follow { failure: Some(report(message)), ..Follow::default() }
}

pub(super) fn ok() -> Verdict {
    succeeded(Follow::default())
}

pub(super) fn succeeded(next: Follow) -> Verdict {
    Verdict::Succeeded { output: b"\"ok\"".to_vec(), next }
}

pub(super) fn failed(next: Follow) -> Verdict {
    Verdict::Failed { report: report("no"), error: Some(b"{\"code\":1}".to_vec()), next }
}

pub(super) fn cancelled(next: Follow) -> Verdict {
    Verdict::Cancelled { next }
}

pub(super) fn retry(delay: Duration) -> Verdict {
    Verdict::Retry { report: report("not yet"), delay }
}

pub(super) fn snoozed(delay: Duration) -> Verdict {
    Verdict::Snoozed { delay }
}

pub(super) fn undecodable() -> Verdict {
    Verdict::Parked { reason: ParkReason::Undecodable, detail: "the field `order` is missing".to_owned() }
}

/// One of each verdict, with something that would follow where something can.
pub(super) fn every_verdict() -> Vec<Verdict> {
    vec![
        succeeded(then([send()])),
        failed(then([send()])),
        cancelled(then([send()])),
        retry(secs(5)),
        snoozed(secs(5)),
        Verdict::Interrupted,
        undecodable(),
    ]
}

/// Runs a future of each number on a thread of its own, all at once.
pub(super) async fn on_threads<T, F>(count: usize, start: impl Fn(usize) -> F + Send + Sync + 'static) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let start = Arc::new(start);
    let gate = Arc::new(Gate::new(count));
    let threads: Vec<_> = (0..count)
        .map(|number| {
            let (start, gate) = (Arc::clone(&start), Arc::clone(&gate));
            tokio::task::spawn_blocking(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
                gate.pass();
                runtime.block_on(start(number))
            })
        })
        .collect();
    let mut results = Vec::with_capacity(count);
    for thread in threads {
        results.push(thread.await.expect("the thread does not panic"));
    }
    results
}

/// Where threads wait for each other, awake, so that they leave together.
pub(super) struct Gate {
    missing: AtomicUsize,
}

impl Gate {
    pub(super) fn new(threads: usize) -> Self {
        Self { missing: AtomicUsize::new(threads) }
    }

    pub(super) fn pass(&self) {
        self.missing.fetch_sub(1, Ordering::AcqRel);
        let mut turns = 0_u32;
        while self.missing.load(Ordering::Acquire) > 0 {
            turns += 1;
            // On a busy machine the other thread may need this core.
            if turns.is_multiple_of(1_024) {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

/// Asks the store now, and waits for the answer later.
pub(super) fn asked<T: Send + 'static>(mut reply: Reply<T>) -> Reply<T> {
    match reply.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Box::pin(async { answer }),
        Poll::Pending => reply,
    }
}
