//! What a running task may see and do.

mod commit;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::dispatch::{DispatchError, IntoDispatch};
use crate::duration::{DurationError, IntoDuration};
use crate::failure::Cancelled;
use crate::id::{RunId, TaskId, WorkId, derive};
use crate::registry::Need;
use crate::room::in_blocking_attempt;
use crate::schedule::{Clock, Timestamp};
use crate::store::{Claim, LogLine, NewWork, Notes, OnCommit};
use crate::task::Work;
#[cfg(feature = "postgres")]
pub use commit::CompleteError;
#[cfg(feature = "postgres")]
pub(crate) use commit::{Completes, Completion};

/// Lines beyond this are counted, not kept, until the next time that notes are stored.
const MAX_BUFFERED_LINES: usize = 1_000;

/// What a running task may see and do. It is cheap to clone.
///
/// A `#[task]` function asks for it with an argument `cx: &Context`; a handler is given it.
///
/// ```
/// use evertask::prelude::*;
///
/// #[task]
/// async fn resize(images: Vec<String>, cx: &Context) -> Result<(), Cancelled> {
///     for (done, image) in images.iter().enumerate() {
///         cx.check_cancelled()?;
///         cx.log(format!("resizing {image}"));
///         cx.progress(done as u64 + 1, images.len() as u64);
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

struct Inner {
    about: About,
    data: Arc<Data>,
    clock: Arc<dyn Clock>,
    stop: watch::Sender<Stop>,
    /// How many threads run its handler.
    threads: watch::Sender<u32>,
    state: Mutex<State>,
    dropped_lines: AtomicU64,
    /// How the handler ends its task itself, where it can.
    #[cfg(feature = "postgres")]
    completes: std::sync::OnceLock<Box<dyn Completes>>,
}

/// What a context knows of its task.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) claim: Claim,
    pub(crate) name: &'static str,
    pub(crate) run: Option<RunId>,
    pub(crate) step: Option<&'static str>,
    pub(crate) attempt: u32,
    pub(crate) correlation: Option<String>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) occurrence: Option<Timestamp>,
    pub(crate) max_payload: usize,
    /// Whether its store writes what is to commit with it.
    #[cfg(feature = "sqlite")]
    pub(crate) writes_effects: bool,
}

/// Why a running task is to stop, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    No,
    /// Somebody cancelled it: it has a grace period.
    Cancelled,
    /// The attempt took too long: nobody waits for it any more.
    TimedOut,
    /// The worker shuts down: it may end by itself until the worker's deadline.
    Interrupted,
    /// The worker's deadline is over, or its lease is lost.
    Aborted,
}

#[derive(Default)]
struct State {
    dispatched: Vec<NewWork>,
    on_commit: OnCommit,
    /// Whether the handler has ended its task itself, if its transaction is committed.
    completed: bool,
    snooze: Option<Duration>,
    snoozing: Option<Waker>,
    notes: Notes,
}

impl Context {
    pub(crate) fn new(about: About, data: Arc<Data>, clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(State::default());
        let (stop, threads) = (watch::Sender::new(Stop::No), watch::Sender::new(0));
        let dropped_lines = AtomicU64::new(0);
        Self {
            inner: Arc::new(Inner {
                about,
                data,
                clock,
                stop,
                threads,
                state,
                dropped_lines,
                #[cfg(feature = "postgres")]
                completes: std::sync::OnceLock::new(),
            }),
        }
    }

    /// The task's id. It is the same on every attempt: an idempotency key for the outside world.
    pub fn id(&self) -> TaskId {
        self.inner.about.claim.id
    }

    /// The task's name.
    pub fn name(&self) -> &'static str {
        self.inner.about.name
    }

    /// The run that this task is a step of.
    pub fn run_id(&self) -> Option<RunId> {
        self.inner.about.run
    }

    /// The name of the step, in a workflow block.
    pub fn step(&self) -> Option<&'static str> {
        self.inner.about.step
    }

    /// Which attempt this is, from 1. Snoozes, shutdowns and crashes do not count.
    pub fn attempt(&self) -> u32 {
        self.inner.about.attempt
    }

    /// What the work belongs to, as given at the dispatch; every continuation inherits it.
    pub fn correlation_id(&self) -> Option<&str> {
        self.inner.about.correlation.as_deref()
    }

    /// When its time in all is up, if it has a `deadline`.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.inner.about.deadline
    }

    /// The slot that it runs for, if a schedule started it: when it was meant to run, however late it is. A workflow's
    /// first step has it.
    pub fn occurrence(&self) -> Option<Timestamp> {
        self.inner.about.occurrence
    }

    /// Completes when the task is to stop: it was cancelled, its attempt took longer than its `timeout`, or its
    /// worker shuts down.
    ///
    /// After a grace period its future is dropped.
    pub async fn cancelled(&self) {
        self.stopped(|stop| stop != Stop::No).await;
    }

    /// Whether the task is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.stop() != Stop::No
    }

    /// Returns from the handler with `?` when the task is to stop.
    pub fn check_cancelled(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// Dispatches work that commits with this task's success, or not at all.
    ///
    /// What an attempt dispatched is forgotten when the attempt does not succeed. The id is known at
    /// once, and the same on every attempt that dispatches the same things in the same order.
    pub fn dispatch<D: IntoDispatch>(&self, work: D) -> Result<<D::Work as Work>::Id, DispatchError> {
        let dispatch = work.into_dispatch();
        let mut state = self.state();
        if state.completed {
            return Err(DispatchError::Completed { name: D::Work::NAME });
        }
        let id = derive(self.id().uuid(), "dispatch", state.dispatched.len());
        let (new, id) = dispatch.prepare(id, Some(self.id()), self.correlation_id(), self.inner.about.max_payload)?;
        state.dispatched.push(new);
        Ok(id)
    }

    /// Puts the task off: it runs again after `delay`. Not a failure, and not an attempt.
    ///
    /// The future never completes, so that the handler ends here: `return cx.reschedule("10m").await`.
    /// A blocking task calls it, drops what it gives, and returns anything: it is put off when it has returned.
    ///
    /// A delay that can't be read (`"soon"`) ends the attempt with a panic that says so.
    pub fn reschedule<T>(&self, delay: impl IntoDuration) -> Reschedule<T> {
        let delay = delay.into_duration();
        if let Ok(delay) = delay {
            let mut state = self.state();
            state.snooze = Some(delay);
            if let Some(waker) = state.snoozing.take() {
                waker.wake();
            }
        }
        Reschedule { mistake: delay.err(), output: std::marker::PhantomData }
    }

    /// Says how far the work is. Kept with the task, within about a second.
    pub fn progress(&self, done: u64, total: u64) {
        self.state().notes.progress = Some((done, total));
    }

    /// Keeps a line with the task.
    pub fn log(&self, line: impl Into<String>) {
        let line = LogLine { at: self.inner.clock.now(), fence: self.inner.about.claim.fence, text: line.into() };
        let mut state = self.state();
        if state.notes.lines.len() < MAX_BUFFERED_LINES {
            state.notes.lines.push(line);
        } else {
            self.inner.dropped_lines.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A value that the worker was given with `.data(..)`, or `.data_dyn(..)`.
    ///
    /// Declare it with `#[task(needs(T))]`, so that a worker without it refuses to start.
    pub fn data<T: ?Sized + Send + Sync + 'static>(&self) -> Option<&T> {
        self.inner.data.get::<T>()
    }

    /// The time, by the worker's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(crate) fn stop(&self) -> Stop {
        *self.inner.stop.borrow()
    }

    /// Tells the task to stop. A later word does not soften an earlier one.
    pub(crate) fn tell(&self, stop: Stop) {
        self.inner.stop.send_if_modified(|told| {
            let harder = stop > *told;
            *told = (*told).max(stop);
            harder
        });
    }

    /// Completes when the task has been told so.
    pub(crate) async fn stopped(&self, told: impl Fn(Stop) -> bool) -> Stop {
        let mut stop = self.inner.stop.subscribe();
        let told = stop.wait_for(|stop| told(*stop)).await.map(|stop| *stop);
        match told {
            Ok(stop) => stop,
            // The sender lives in this context, so that this can't be.
            Err(_) => std::future::pending().await,
        }
    }

    pub(crate) fn claim(&self) -> Claim {
        self.inner.about.claim
    }

    /// What the handler dispatched, for the transaction that ends it.
    pub(crate) fn take_dispatched(&self) -> Vec<NewWork> {
        std::mem::take(&mut self.state().dispatched)
    }

    /// What was noted since the last time.
    pub(crate) fn take_notes(&self) -> Notes {
        let mut notes = std::mem::take(&mut self.state().notes);
        let dropped = self.inner.dropped_lines.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text = format!("{dropped} more lines were dropped");
            notes.lines.push(LogLine { at: self.inner.clock.now(), fence: self.inner.about.claim.fence, text });
        }
        notes
    }

    pub(crate) fn snoozed(&self) -> Option<Duration> {
        self.state().snooze
    }

    /// Whether a thread runs its handler.
    pub(crate) fn blocks(&self) -> bool {
        *self.inner.threads.borrow() > 0
    }

    /// Completes when no thread runs its handler any more.
    pub(crate) async fn unblocked(&self) {
        // The sender lives in this context.
        let _ = self.inner.threads.subscribe().wait_for(|threads| *threads == 0).await;
    }

    /// Completes when the handler has put the task off. One that blocks does so when it returns.
    pub(crate) fn until_snoozed(&self) -> impl Future<Output = Duration> + Send + use<> {
        let cx = self.clone();
        std::future::poll_fn(move |poll| {
            let mut state = cx.state();
            if let Some(delay) = state.snooze.filter(|_| !cx.blocks()) {
                return Poll::Ready(delay);
            }
            state.snoozing = Some(poll.waker().clone());
            Poll::Pending
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("about", &self.inner.about).finish_non_exhaustive()
    }
}

/// What [`Context::reschedule`] gives: a future that never completes, of any type.
#[derive(Debug)]
pub struct Reschedule<T> {
    mistake: Option<DurationError>,
    output: std::marker::PhantomData<fn() -> T>,
}

impl<T> Future for Reschedule<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<T> {
        match &self.mistake {
            Some(mistake) => panic!("{mistake}"),
            None => Poll::Pending,
        }
    }
}

/// What the worker was given with `.data(..)`, by type.
#[derive(Default)]
pub(crate) struct Data {
    by_type: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
}

impl Data {
    pub(crate) fn insert<T: ?Sized + Send + Sync + 'static>(&mut self, value: Arc<T>) {
        self.by_type.insert(TypeId::of::<T>(), Box::new(value));
    }

    pub(crate) fn has(&self, need: &Need) -> bool {
        need.type_id == TypeId::of::<Context>() || self.by_type.contains_key(&need.type_id)
    }

    fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Option<&T> {
        let held: &(dyn Any + Send + Sync) = self.by_type.get(&TypeId::of::<T>())?.as_ref();
        held.downcast_ref::<Arc<T>>().map(AsRef::as_ref)
    }
}

/// A borrowed argument of a task function: the context itself, or what the worker was given.
///
/// # Panics
/// Where the worker was not given one. It checks that before it starts, so that this is for contexts made by hand.
pub fn inject<T: Send + Sync + 'static>(cx: &Context) -> &T {
    if let Some(cx) = (cx as &dyn Any).downcast_ref::<T>() {
        return cx;
    }
    inject_dyn(cx)
}

/// A borrowed argument `&dyn Trait` of a task function.
///
/// # Panics
/// Where the worker was not given one.
pub fn inject_dyn<T: ?Sized + Send + Sync + 'static>(cx: &Context) -> &T {
    let Some(value) = cx.data::<T>() else {
        panic!("the worker was not given a `{}`: add `.data(..)`", std::any::type_name::<T>());
    };
    value
}

/// What a task function that borrows a `T` needs.
pub fn need<T: Send + Sync + 'static>() -> Need {
    Need::of::<T>()
}

/// What a task function that borrows a `dyn Trait` needs.
pub fn need_dyn<T: ?Sized + Send + Sync + 'static>() -> Need {
    Need::of::<T>()
}

/// Runs a task function that is not `async` on a thread of its own. A panic goes on in the caller.
///
/// It is not one of the runtime's: the end of a program waits for those, and nobody can stop a thread. Whoever
/// drops this future leaves the thread alone; the worker keeps its slot until it ends.
///
/// # Panics
/// As the function does, and where the system has no thread left.
pub async fn blocking<R: Send + 'static>(cx: &Context, run: impl FnOnce(&Context) -> R + Send + 'static) -> R {
    let (give, result) = oneshot::channel();
    let (runtime, of, counted) = (Handle::current(), cx.clone(), Counted::new(cx));
    let thread = thread::Builder::new().name("evertask-task".into()).spawn(move || {
        let _runtime = runtime.enter();
        let result = catch_unwind(AssertUnwindSafe(|| in_blocking_attempt(|| run(&of))));
        drop(counted);
        // Nobody waits for one that was too slow.
        let _ = give.send(result);
    });
    if let Err(error) = thread {
        panic!("no thread for a blocking task: {error}");
    }
    match result.await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => resume_unwind(panic),
        // The thread always gives something.
        Err(_) => std::future::pending().await,
    }
}

/// A thread that runs a handler, as long as it does.
struct Counted(Context);

impl Counted {
    fn new(cx: &Context) -> Self {
        cx.inner.threads.send_modify(|threads| *threads += 1);
        Self(cx.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.inner.threads.send_modify(|threads| *threads -= 1);
    }
}

/// The id of work as its type names it.
pub(crate) fn typed_id<W: Work>(id: WorkId) -> Result<W::Id, DispatchError> {
    W::id(id).ok_or(DispatchError::Kind { name: W::NAME, id })
}
