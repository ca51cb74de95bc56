//! A store that refuses some results for good: for what they are, not because it is away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use evertask::store::{
    AttemptRecord, Beat, CancelOutcome, Claim, Delivery, Dispatched, Earlier, Edited, Finished, Inbox, LogLine,
    NewSchedule, NewWork, Notes, Peer, Prune, QueueChange, QueueRecord, Reply, Revived, RunFilter, RunRecord,
    ScheduleRecord, Selection, SignalOutcome, Store, StoreError, TaskFilter, TaskRecord, Turn, Verdict, Violation,
    WorkerInfo,
};
use evertask::{RunId, TaskId, Timestamp, WorkId, WorkerId};

/// What it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuses {
    /// This output.
    Output(&'static [u8]),
    /// This output, and that its task fails.
    ItsFailureToo(&'static [u8]),
}

/// A store in front of another.
pub struct Refusing {
    store: Arc<dyn Store>,
    refuses: Refuses,
    inboxes: Mutex<HashMap<WorkerId, Inbox>>,
}

impl Refusing {
    /// It passes everything else on.
    pub fn new(store: Arc<dyn Store>, refuses: Refuses) -> Self {
        Self { store, refuses, inboxes: Mutex::default() }
    }

    fn refuses(&self, finished: &Finished) -> bool {
        match (&finished.verdict, self.refuses) {
            (Verdict::Succeeded { output, .. }, Refuses::Output(bad) | Refuses::ItsFailureToo(bad)) => output == bad,
            (Verdict::Failed { .. }, Refuses::ItsFailureToo(_)) => true,
            _ => false,
        }
    }
}

macro_rules! pass_on {
    ($($verb:ident($($name:ident: $given:ty),*) -> $answer:ty;)*) => {
        $(fn $verb(&self, $($name: $given),*) -> Reply<$answer> {
            self.store.$verb($($name),*)
        })*
    };
}

impl Store for Refusing {
    fn attach(&self, worker: WorkerInfo, inbox: Inbox) -> Reply<()> {
        self.inboxes.lock().unwrap().insert(worker.id, inbox.clone());
        self.store.attach(worker, inbox)
    }

    fn settle(&self, worker: WorkerId, finished: Vec<Finished>, free: Vec<(String, u32)>) {
        if !finished.iter().any(|finished| self.refuses(finished)) {
            return self.store.settle(worker, finished, free);
        }
        // All of a transaction or nothing; slots are free whatever becomes of it.
        self.store.settle(worker, Vec::new(), free);
        let error = StoreError::Refused { reason: "too much".to_owned() };
        let _ = self.inboxes.lock().unwrap()[&worker].send(Delivery::Unsettled { finished, error });
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self.store.as_any()
    }

    pass_on! {
        dispatch(work: Vec<NewWork>) -> Vec<Dispatched>;
        detach(worker: WorkerId) -> ();
        retire(worker: WorkerId) -> ();
        beat(worker: WorkerId) -> Beat;
        workers() -> Vec<Peer>;
        reclaim(lapsed: Vec<Peer>) -> Vec<TaskId>;
        cancel(selection: Selection) -> Vec<(WorkId, CancelOutcome)>;
        note(claim: Claim, notes: Notes) -> ();
        signal(run: RunId, step: String, was: &'static [&'static str], value: Vec<u8>) -> SignalOutcome;
        pause(run: RunId) -> bool;
        resume(run: RunId) -> bool;
        resume_undo(run: RunId) -> bool;
        earlier(run: RunId, steps: Vec<String>) -> Earlier;
        expire_runs() -> Vec<RunId>;
        change_queue(name: String, change: QueueChange) -> QueueRecord;
        queues() -> Vec<QueueRecord>;
        keep_schedules(schedules: Vec<NewSchedule>) -> ();
        drop_schedule(id: String) -> bool;
        hold_schedule(id: String, paused: bool, next: Option<Timestamp>) -> bool;
        schedules() -> Vec<ScheduleRecord>;
        due_schedules() -> (Vec<ScheduleRecord>, Option<Timestamp>);
        turn_schedule(turn: Turn) -> Vec<Dispatched>;
        revive(tasks: Vec<TaskId>, edited: Option<Edited>) -> Vec<(TaskId, Revived)>;
        discard(work: Vec<WorkId>) -> u64;
        prune(prune: Prune) -> u64;
        task(id: TaskId) -> Option<TaskRecord>;
        run(id: RunId) -> Option<RunRecord>;
        tasks(filter: TaskFilter) -> Vec<TaskRecord>;
        runs(filter: RunFilter) -> Vec<RunRecord>;
        log(id: TaskId) -> Vec<LogLine>;
        attempts(id: TaskId) -> Vec<AttemptRecord>;
        ended(id: WorkId) -> ();
        verify() -> Vec<Violation>;
        close() -> ();
    }
}
