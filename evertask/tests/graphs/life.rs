//! Workers that die: their store takes nothing of them any more from a certain end of attempts on, and what they were
//! doing stands still. Whoever takes over finds what a killed process leaves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use evertask::prelude::Context;
use evertask::store::{
    AttemptRecord, Beat, CancelOutcome, Claim, Delivery, Dispatched, Earlier, Edited, Finished, Inbox, LogLine,
    NewSchedule, NewWork, Notes, Peer, Prune, QueueChange, QueueRecord, Reply, Revived, RunFilter, RunRecord,
    ScheduleRecord, Selection, SignalOutcome, Store, StoreError, TaskFilter, TaskRecord, Turn, Violation, WorkerInfo,
};
use evertask::{RunId, TaskId, Timestamp, WorkId, WorkerId};
use tokio::sync::{Notify, mpsc};

use crate::plan::Death;
use crate::said::STEP_NAMES;

/// What the handlers of all workers did.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// The steps that undo others.
    undoing: Vec<usize>,
    /// How many items of a step may run at once.
    limits: HashMap<usize, u32>,
    /// The tasks whose handlers succeeded, each time that they did.
    done: Mutex<Vec<TaskId>>,
    active: Mutex<Vec<Active>>,
    /// How often a worker ended attempts.
    ends: AtomicU32,
    wrong: Mutex<Vec<String>>,
    /// The end of an attempt is stored, or the run was held.
    pub(crate) moved: Notify,
}

/// A handler that is at work, where not all may be at once.
#[derive(Debug)]
struct Active {
    /// Whose worker it is.
    life: u32,
    id: TaskId,
    /// Those of the same are not many: of a run, what undoes; of an `each`, its items.
    of: (RunId, Option<(usize, String)>),
}

impl Journal {
    /// Of a graph in which these steps undo others, and these have a limit.
    pub(crate) fn new(undoing: Vec<usize>, limits: HashMap<usize, u32>) -> Self {
        Self { undoing, limits, ..Self::default() }
    }

    pub(crate) fn done(&self) -> Vec<TaskId> {
        self.done.lock().unwrap().clone()
    }

    pub(crate) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap().clone()
    }
}

/// One worker's life.
#[derive(Debug)]
pub(crate) struct Life {
    number: u32,
    pub(crate) death: Option<Death>,
    ends: AtomicU32,
    dead: AtomicBool,
    pub(crate) died: Notify,
    pub(crate) journal: Arc<Journal>,
}

/// A handler that is at work.
pub(crate) struct Working<'a> {
    life: &'a Life,
    id: TaskId,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.life.journal.active.lock().unwrap().retain(|active| active.id != self.id);
    }
}

impl Life {
    pub(crate) fn new(number: u32, death: Option<Death>, journal: Arc<Journal>) -> Arc<Self> {
        let (ends, dead, died) = (AtomicU32::new(0), AtomicBool::new(false), Notify::new());
        Arc::new(Self { number, death, ends, dead, died, journal })
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// What belongs to a dead worker goes no further.
    pub(crate) async fn alive(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    /// The handler of a step begins: of a run, one undoes at a time; of an `each`, no more than its limit.
    pub(crate) fn begins(&self, cx: &Context, step: usize, text: &str) -> Working<'_> {
        let journal = &self.journal;
        let group = text.rsplit_once('#').map_or(text, |(group, _)| group);
        let most = match journal.limits.get(&step) {
            _ if journal.undoing.contains(&step) => Some((1, None)),
            Some(limit) => Some((*limit as usize, Some((step, group.to_owned())))),
            None => None,
        };
        if let (Some((most, of)), Some(run)) = (most, cx.run_id()) {
            let mut active = journal.active.lock().unwrap();
            active.push(Active { life: self.number, id: cx.id(), of: (run, of) });
            let same = active.iter().filter(|other| active.last().is_some_and(|this| this.of == other.of)).count();
            if same > most {
                let name = STEP_NAMES[step];
                journal.wrong.lock().unwrap().push(format!("{same} of {name} in run {run} at once, not {most}"));
            }
        }
        Working { life: self, id: cx.id() }
    }

    pub(crate) fn ends(&self, cx: &Context) {
        self.journal.done.lock().unwrap().push(cx.id());
    }

    /// Whether this end of attempts is its last.
    fn is_last(&self) -> bool {
        let nth = self.ends.fetch_add(1, Ordering::Relaxed) + 1;
        self.death.is_some_and(|death| nth == death.at)
    }

    fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.journal.active.lock().unwrap().retain(|active| active.life != self.number);
        self.died.notify_one();
    }
}

/// The store, as one worker has it.
pub(crate) struct Mortal {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) life: Arc<Life>,
    /// The run that is held, at so many ends of attempts of all workers.
    pub(crate) holds: (OnceLock<RunId>, Vec<u32>),
    pub(crate) id: Mutex<Option<WorkerId>>,
    pub(crate) inbox: Mutex<Option<Inbox>>,
}

impl Mortal {
    fn living<T: Send + 'static>(&self, verb: impl FnOnce(&dyn Store) -> Reply<T>) -> Reply<T> {
        if self.life.is_dead() {
            return Box::pin(async { Err(StoreError::Closed) });
        }
        verb(&*self.store)
    }

    /// The worker is told that its results are lost, so that it does not wait for an answer.
    fn lose(&self, finished: Vec<Finished>) {
        if let Some(inbox) = &*self.inbox.lock().unwrap() {
            // A worker that is gone needs no answer.
            let _ = inbox.send(Delivery::Unsettled { finished, error: StoreError::Closed });
        }
    }
}

impl Store for Mortal {
    fn attach(&self, worker: WorkerInfo, inbox: Inbox) -> Reply<()> {
        let (deliver, mut deliveries) = mpsc::unbounded_channel();
        *self.id.lock().unwrap() = Some(worker.id);
        *self.inbox.lock().unwrap() = Some(inbox.clone());
        let life = self.life.clone();
        tokio::spawn(async move {
            while let Some(delivery) = deliveries.recv().await {
                // A dead worker gets no work any more; answers come, so that it does not wait for them to be gone.
                let is_answer = matches!(delivery, Delivery::Settled(_) | Delivery::Unsettled { .. });
                if is_answer {
                    life.journal.moved.notify_one();
                }
                if (is_answer || !life.is_dead()) && inbox.send(delivery).is_err() {
                    break;
                }
            }
        });
        self.living(|store| store.attach(worker, deliver))
    }

    fn settle(&self, worker: WorkerId, finished: Vec<Finished>, free: Vec<(String, u32)>) {
        if self.life.is_dead() {
            return self.lose(finished);
        }
        if finished.is_empty() {
            return self.store.settle(worker, finished, free);
        }
        let nth = self.life.journal.ends.fetch_add(1, Ordering::Relaxed) + 1;
        if let (Some(run), true) = (self.holds.0.get(), self.holds.1.contains(&nth)) {
            let (held, journal) = (self.store.pause(*run), self.life.journal.clone());
            tokio::spawn(async move {
                // A store that is closed holds nothing.
                let _ = held.await;
                journal.moved.notify_one();
            });
        }
        if !self.life.is_last() {
            return self.store.settle(worker, finished, free);
        }
        if self.life.death.is_some_and(|death| death.committed) {
            self.store.settle(worker, finished, free);
            self.life.die();
        } else {
            self.life.die();
            self.lose(finished);
        }
    }

    fn dispatch(&self, work: Vec<NewWork>) -> Reply<Vec<Dispatched>> {
        self.living(|store| store.dispatch(work))
    }

    fn detach(&self, worker: WorkerId) -> Reply<()> {
        self.living(|store| store.detach(worker))
    }

    fn retire(&self, worker: WorkerId) -> Reply<()> {
        self.living(|store| store.retire(worker))
    }

    fn beat(&self, worker: WorkerId) -> Reply<Beat> {
        self.living(|store| store.beat(worker))
    }

    fn workers(&self) -> Reply<Vec<Peer>> {
        self.living(|store| store.workers())
    }

    fn reclaim(&self, lapsed: Vec<Peer>) -> Reply<Vec<TaskId>> {
        self.living(|store| store.reclaim(lapsed))
    }

    fn cancel(&self, selection: Selection) -> Reply<Vec<(WorkId, CancelOutcome)>> {
        self.living(|store| store.cancel(selection))
    }

    fn note(&self, claim: Claim, notes: Notes) -> Reply<()> {
        self.living(|store| store.note(claim, notes))
    }

    fn signal(&self, run: RunId, step: String, was: &'static [&'static str], value: Vec<u8>) -> Reply<SignalOutcome> {
        self.living(|store| store.signal(run, step, was, value))
    }

    fn pause(&self, run: RunId) -> Reply<bool> {
        self.living(|store| store.pause(run))
    }

    fn resume(&self, run: RunId) -> Reply<bool> {
        self.living(|store| store.resume(run))
    }

    fn resume_undo(&self, run: RunId) -> Reply<bool> {
        self.living(|store| store.resume_undo(run))
    }

    fn earlier(&self, run: RunId, steps: Vec<String>) -> Reply<Earlier> {
        self.living(|store| store.earlier(run, steps))
    }

    fn expire_runs(&self) -> Reply<Vec<RunId>> {
        self.living(|store| store.expire_runs())
    }

    fn change_queue(&self, name: String, change: QueueChange) -> Reply<QueueRecord> {
        self.living(|store| store.change_queue(name, change))
    }

    fn queues(&self) -> Reply<Vec<QueueRecord>> {
        self.living(|store| store.queues())
    }

    fn keep_schedules(&self, schedules: Vec<NewSchedule>) -> Reply<()> {
        self.living(|store| store.keep_schedules(schedules))
    }

    fn drop_schedule(&self, id: String) -> Reply<bool> {
        self.living(|store| store.drop_schedule(id))
    }

    fn hold_schedule(&self, id: String, paused: bool, next: Option<Timestamp>) -> Reply<bool> {
        self.living(|store| store.hold_schedule(id, paused, next))
    }

    fn schedules(&self) -> Reply<Vec<ScheduleRecord>> {
        self.living(|store| store.schedules())
    }

    fn due_schedules(&self) -> Reply<(Vec<ScheduleRecord>, Option<Timestamp>)> {
        self.living(|store| store.due_schedules())
    }

    fn turn_schedule(&self, turn: Turn) -> Reply<Vec<Dispatched>> {
        self.living(|store| store.turn_schedule(turn))
    }

    fn revive(&self, tasks: Vec<TaskId>, edited: Option<Edited>) -> Reply<Vec<(TaskId, Revived)>> {
        self.living(|store| store.revive(tasks, edited))
    }

    fn discard(&self, work: Vec<WorkId>) -> Reply<u64> {
        self.living(|store| store.discard(work))
    }

    fn prune(&self, prune: Prune) -> Reply<u64> {
        self.living(|store| store.prune(prune))
    }

    fn task(&self, id: TaskId) -> Reply<Option<TaskRecord>> {
        self.living(|store| store.task(id))
    }

    fn run(&self, id: RunId) -> Reply<Option<RunRecord>> {
        self.living(|store| store.run(id))
    }

    fn tasks(&self, filter: TaskFilter) -> Reply<Vec<TaskRecord>> {
        self.living(|store| store.tasks(filter))
    }

    fn runs(&self, filter: RunFilter) -> Reply<Vec<RunRecord>> {
        self.living(|store| store.runs(filter))
    }

    fn log(&self, id: TaskId) -> Reply<Vec<LogLine>> {
        self.living(|store| store.log(id))
    }

    fn attempts(&self, id: TaskId) -> Reply<Vec<AttemptRecord>> {
        self.living(|store| store.attempts(id))
    }

    fn ended(&self, id: WorkId) -> Reply<()> {
        self.living(|store| store.ended(id))
    }

    fn verify(&self) -> Reply<Vec<Violation>> {
        self.living(|store| store.verify())
    }

    fn close(&self) -> Reply<()> {
        self.living(|store| store.close())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self.store.as_any()
    }
}
