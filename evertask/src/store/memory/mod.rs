//! Work in this process's memory: for tests, and for work that may be lost with its process.
//!
//! Every verb is one critical section, done when it is called, so its reply is ready at once. [`state`] holds
//! the [`rows`] and their indexes and is the only place where a task's state changes; [`add`] takes new work, and
//! [`keys`] what is there already; [`claims`] brings ready tasks to free slots, within what [`queues`] and
//! [`limits`] allow; [`schedules`] starts recurring work; [`letters`] has what failed; [`prune`] takes away; [`waits`] has what tasks wait for; [`ends`] applies verdicts
//! and what follows, with [`joins`] and [`undo`]; [`stops`] cancels; [`workers`] lists workers and takes over
//! from dead ones; [`reads`] answers questions, and [`sound`] checks the invariants.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::id::{RunId, TaskId, WorkId, WorkerId};
use crate::schedule::{Clock, Timestamp};

use super::{
    AttemptRecord, Beat, CancelOutcome, Claim, Delivery, Dispatched, Earlier, Edited, Finished, Inbox, LogLine,
    NewSchedule, NewWork, Notes, Peer, Prune, QueueChange, QueueRecord, Reply, Revived, RunFilter, RunRecord,
    ScheduleRecord, Selection, SignalOutcome, Store, StoreError, TaskFilter, TaskRecord, Turn, Violation, WorkerInfo,
};
use state::State;

mod add;
mod arrivals;
mod claims;
mod ends;
mod joins;
mod keys;
mod letters;
mod limits;
mod prune;
mod queues;
mod reads;
mod rows;
mod schedules;
mod sound;
mod state;
mod stops;
#[cfg(test)]
mod tests;
mod undo;
mod waits;
mod workers;

/// The clock may be set while the timer sleeps: it looks at it now and then.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Work in this process's memory. Nothing of it outlives the store.
pub struct MemoryStore {
    shared: Arc<Shared>,
    timer: Option<JoinHandle<()>>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    /// Tells the timer that something is due earlier than it thinks, or that the store is closed.
    earlier: Condvar,
}

struct Inner {
    state: State,
    waiters: Waiters,
    /// What every verb answers, once the store takes nothing any more.
    refusal: Option<StoreError>,
    /// What the timer waits for.
    alarm: Option<Timestamp>,
}

/// Who waits for which work to end, by a number of their own.
#[derive(Default)]
struct Waiters {
    last: u64,
    by_work: BTreeMap<(WorkId, u64), oneshot::Sender<()>>,
}

impl MemoryStore {
    /// An empty store, which takes the time from this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let inner = Inner { state: State::new(), waiters: Waiters::default(), refusal: None, alarm: None };
        let shared = Arc::new(Shared { clock, inner: Mutex::new(inner), earlier: Condvar::new() });
        let moved = Arc::downgrade(&shared);
        shared.clock.on_move(Arc::new(move || {
            if let Some(shared) = moved.upgrade() {
                // A closed store has nothing to bring.
                let _ = shared.act(|_| Ok(()));
            }
        }));
        // A clock that is moved by hand says when; any other needs somebody who waits.
        let now = shared.clock.now();
        let timer = shared.clock.sleep_until(now).and_then(|_| {
            let timed = Arc::clone(&shared);
            let spawned = thread::Builder::new().name("evertask-timer".to_owned()).spawn(move || timed.keep_time());
            spawned
                .map_err(|error| {
                    let reason = format!("its timer did not start: {error}");
                    shared.lock().refusal = Some(StoreError::Unavailable { reason });
                })
                .ok()
        });
        Self { shared, timer }
    }

    /// One verb: done now, all of it, and answered at once.
    fn verb<T: Send + 'static>(&self, act: impl FnOnce(&mut State) -> Result<T, StoreError>) -> Reply<T> {
        let answer = self.shared.act(act);
        Box::pin(async { answer })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One transaction: the verb, then claims for the slots that are free, then all that is to be told.
    fn act<T>(&self, act: impl FnOnce(&mut State) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        if let Some(refusal) = &inner.refusal {
            return Err(refusal.clone());
        }
        // The time is read under the lock: a clock that is moved now calls us after this.
        inner.state.begin(self.clock.now());
        let answer = act(&mut inner.state);
        inner.state.carry_on();
        inner.state.serve();
        inner.state.deliver();
        let ended = inner.state.take_ended();
        let woken = inner.waiters.of(&ended);
        let next = inner.state.next_due();
        if next.is_some_and(|next| inner.alarm.is_none_or(|alarm| next < alarm)) {
            self.earlier.notify_one();
        }
        drop(guard);
        for waiter in woken {
            // Who dropped the reply no longer asks.
            let _ = waiter.send(());
        }
        answer
    }

    /// What the timer thread does: it sleeps until the next task is due, and has it served.
    fn keep_time(&self) {
        loop {
            if self.act(|_| Ok(())).is_err() {
                return;
            }
            let mut inner = self.lock();
            inner.alarm = inner.state.next_due();
            if inner.refusal.is_some() {
                return;
            }
            match inner.alarm.map(|alarm| self.clock.sleep_until(alarm)) {
                Some(Some(pause)) => drop(self.earlier.wait_timeout(inner, pause.min(LONGEST_SLEEP))),
                Some(None) | None => drop(self.earlier.wait(inner)),
            }
        }
    }

    fn close(&self) -> Result<(), StoreError> {
        let mut inner = self.lock();
        if let Some(refusal) = &inner.refusal {
            return Err(refusal.clone());
        }
        inner.refusal = Some(StoreError::Closed);
        let waiters = std::mem::take(&mut inner.waiters.by_work);
        self.earlier.notify_one();
        drop(inner);
        drop(waiters);
        Ok(())
    }
}

impl Waiters {
    fn add(&mut self, id: WorkId) -> (u64, oneshot::Receiver<()>) {
        let (told, wait) = oneshot::channel();
        self.last += 1;
        self.by_work.insert((id, self.last), told);
        (self.last, wait)
    }

    fn of(&mut self, ended: &[WorkId]) -> Vec<oneshot::Sender<()>> {
        let mut woken = Vec::new();
        if self.by_work.is_empty() {
            return woken;
        }
        for &id in ended {
            let keys: Vec<_> = self.by_work.range((id, 0)..=(id, u64::MAX)).map(|(&key, _)| key).collect();
            woken.extend(keys.into_iter().filter_map(|key| self.by_work.remove(&key)));
        }
        woken
    }
}

/// Takes a waiter out when its reply is dropped.
struct Waiting {
    shared: Weak<Shared>,
    key: (WorkId, u64),
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.lock().waiters.by_work.remove(&self.key);
        }
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        // Closed before is as good.
        let _ = self.shared.close();
        if let Some(timer) = self.timer.take()
            && timer.thread().id() != thread::current().id()
        {
            // A timer that panicked has nothing to give back.
            let _ = timer.join();
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Store for MemoryStore {
    fn dispatch(&self, work: Vec<NewWork>) -> Reply<Vec<Dispatched>> {
        self.verb(|state| state.dispatch(work))
    }

    fn attach(&self, worker: WorkerInfo, inbox: Inbox) -> Reply<()> {
        self.verb(|state| {
            state.attach(worker, inbox);
            Ok(())
        })
    }

    fn settle(&self, worker: WorkerId, finished: Vec<Finished>, free: Vec<(String, u32)>) {
        let mut given = Some((finished, free));
        let settled = self.shared.act(|state| {
            if let Some((finished, free)) = given.take() {
                state.settle(worker, finished, &free);
            }
            Ok(())
        });
        if let (Err(error), Some((finished, _))) = (settled, given) {
            self.shared.lock().state.send(worker, Delivery::Unsettled { finished, error });
        }
    }

    fn detach(&self, worker: WorkerId) -> Reply<()> {
        self.verb(|state| {
            state.detach(worker);
            Ok(())
        })
    }

    fn retire(&self, worker: WorkerId) -> Reply<()> {
        self.verb(|state| {
            state.retire(worker);
            Ok(())
        })
    }

    fn beat(&self, worker: WorkerId) -> Reply<Beat> {
        self.verb(|state| Ok(state.beat(worker)))
    }

    fn workers(&self) -> Reply<Vec<Peer>> {
        self.verb(|state| Ok(state.peers()))
    }

    fn reclaim(&self, lapsed: Vec<Peer>) -> Reply<Vec<TaskId>> {
        self.verb(|state| Ok(state.reclaim(&lapsed)))
    }

    fn cancel(&self, selection: Selection) -> Reply<Vec<(WorkId, CancelOutcome)>> {
        self.verb(|state| Ok(state.cancel(selection)))
    }

    fn note(&self, claim: Claim, notes: Notes) -> Reply<()> {
        self.verb(|state| {
            state.note(claim, notes);
            Ok(())
        })
    }

    fn signal(&self, run: RunId, step: String, was: &'static [&'static str], value: Vec<u8>) -> Reply<SignalOutcome> {
        self.verb(|state| Ok(state.signal(run, step, was, value)))
    }

    fn pause(&self, run: RunId) -> Reply<bool> {
        self.verb(|state| Ok(state.pause(run)))
    }

    fn resume(&self, run: RunId) -> Reply<bool> {
        self.verb(|state| Ok(state.resume(run)))
    }

    fn resume_undo(&self, run: RunId) -> Reply<bool> {
        self.verb(|state| Ok(state.resume_undo(run)))
    }

    fn earlier(&self, run: RunId, steps: Vec<String>) -> Reply<Earlier> {
        self.verb(|state| Ok(state.earlier(run, &steps)))
    }

    fn expire_runs(&self) -> Reply<Vec<RunId>> {
        self.verb(|state| Ok(state.expire_runs()))
    }

    fn change_queue(&self, name: String, change: QueueChange) -> Reply<QueueRecord> {
        self.verb(|state| Ok(state.change_queue(&name, change)))
    }

    fn queues(&self) -> Reply<Vec<QueueRecord>> {
        self.verb(|state| Ok(state.queue_records()))
    }

    fn keep_schedules(&self, schedules: Vec<NewSchedule>) -> Reply<()> {
        self.verb(|state| {
            state.keep_schedules(schedules);
            Ok(())
        })
    }

    fn drop_schedule(&self, id: String) -> Reply<bool> {
        self.verb(|state| Ok(state.schedules.remove(&id).is_some()))
    }

    fn hold_schedule(&self, id: String, paused: bool, next: Option<Timestamp>) -> Reply<bool> {
        self.verb(|state| Ok(state.hold_schedule(&id, paused, next)))
    }

    fn schedules(&self) -> Reply<Vec<ScheduleRecord>> {
        self.verb(|state| Ok(state.schedules()))
    }

    fn due_schedules(&self) -> Reply<(Vec<ScheduleRecord>, Option<Timestamp>)> {
        self.verb(|state| Ok(state.due_schedules()))
    }

    fn turn_schedule(&self, turn: Turn) -> Reply<Vec<Dispatched>> {
        self.verb(|state| state.turn_schedule(turn))
    }

    fn revive(&self, tasks: Vec<TaskId>, edited: Option<Edited>) -> Reply<Vec<(TaskId, Revived)>> {
        self.verb(|state| Ok(state.revive(tasks, edited.as_ref())))
    }

    fn discard(&self, work: Vec<WorkId>) -> Reply<u64> {
        self.verb(|state| Ok(state.discard(work)))
    }

    fn prune(&self, prune: Prune) -> Reply<u64> {
        self.verb(|state| Ok(state.prune(&prune)))
    }

    fn task(&self, id: TaskId) -> Reply<Option<TaskRecord>> {
        self.verb(|state| Ok(state.task(id)))
    }

    fn run(&self, id: RunId) -> Reply<Option<RunRecord>> {
        self.verb(|state| Ok(state.run(id)))
    }

    fn tasks(&self, filter: TaskFilter) -> Reply<Vec<TaskRecord>> {
        self.verb(|state| Ok(state.tasks(&filter)))
    }

    fn runs(&self, filter: RunFilter) -> Reply<Vec<RunRecord>> {
        self.verb(|state| Ok(state.runs(&filter)))
    }

    fn log(&self, id: TaskId) -> Reply<Vec<LogLine>> {
        self.verb(|state| Ok(state.log(id)))
    }

    fn attempts(&self, id: TaskId) -> Reply<Vec<AttemptRecord>> {
        self.verb(|state| Ok(state.attempts(id)))
    }

    fn ended(&self, id: WorkId) -> Reply<()> {
        let mut inner = self.shared.lock();
        if let Some(refusal) = inner.refusal.clone() {
            return Box::pin(async { Err(refusal) });
        }
        if !inner.state.is_live(id) {
            return Box::pin(async { Ok(()) });
        }
        let (number, told) = inner.waiters.add(id);
        drop(inner);
        let waiting = Waiting { shared: Arc::downgrade(&self.shared), key: (id, number) };
        Box::pin(async move {
            let answer = told.await.map_err(|_| StoreError::Closed);
            drop(waiting);
            answer
        })
    }

    fn verify(&self) -> Reply<Vec<Violation>> {
        self.verb(|state| Ok(state.verify()))
    }

    fn close(&self) -> Reply<()> {
        let answer = self.shared.close();
        Box::pin(async { answer })
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
