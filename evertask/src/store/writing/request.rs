//! What the writer is asked, and how it answers: only when the transaction is on disk.

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::id::{RunId, TaskId, WorkId, WorkerId};
use crate::schedule::Timestamp;
#[cfg(feature = "sqlite")]
use crate::store::Pragmas;
use crate::store::{
    Beat, CancelOutcome, Claim, Dispatched, Edited, Finished, Inbox, NewSchedule, NewWork, Notes, Peer, Prune,
    QueueChange, QueueRecord, Revived, Selection, Settled, SignalOutcome, StoreError, Turn, WorkerInfo,
};

/// A value for a step of a run, by its name of today and those that it had.
type SignalGiven = (RunId, String, &'static [&'static str], Vec<u8>);

/// One question: what it is about, its answer once there is one, and who asked.
#[derive(Debug)]
pub(crate) struct Ask<Q, A> {
    pub(crate) about: Q,
    pub(crate) answer: Option<A>,
    /// Why nothing was done, though the transaction went well.
    pub(crate) refusal: Option<StoreError>,
    reply: oneshot::Sender<Result<A, StoreError>>,
}

impl<Q, A> Ask<Q, A> {
    pub(crate) fn new(about: Q) -> (Self, oneshot::Receiver<Result<A, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Self { about, answer: None, refusal: None, reply }, answer)
    }

    /// Gives the answer. Whoever no longer waits for it is not told.
    fn answer(self) {
        if let Some(refusal) = self.refusal {
            let _ = self.reply.send(Err(refusal));
        } else if let Some(answer) = self.answer {
            let _ = self.reply.send(Ok(answer));
        }
    }

    fn refuse(self, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

/// The ends of attempts, from one worker.
#[derive(Debug)]
pub(crate) struct Settle {
    pub(crate) worker: WorkerId,
    pub(crate) finished: Vec<Finished>,
    pub(crate) free: Vec<(String, u32)>,
    pub(crate) settled: Vec<(Claim, Settled)>,
    /// Those that could not be ended so, and why.
    #[cfg(feature = "sqlite")]
    pub(crate) refused: Vec<(Claim, String)>,
}

impl Settle {
    pub(crate) fn new(worker: WorkerId, finished: Vec<Finished>, free: Vec<(String, u32)>) -> Self {
        let settled = Vec::with_capacity(finished.len());
        Self {
            worker,
            finished,
            free,
            settled,
            #[cfg(feature = "sqlite")]
            refused: Vec::new(),
        }
    }
}

/// The most requests, and about the most rows, of one transaction.
const MOST_REQUESTS: usize = 1_000;
const MOST_ROWS: usize = 10_000;

/// Adds what comes next, as long as the transaction does not become too long.
pub(crate) fn gather(batch: &mut Vec<Request>, mut next: impl FnMut() -> Option<Request>) {
    let mut rows = batch.iter().map(Request::weight).sum::<usize>();
    while batch.len() < MOST_REQUESTS && rows < MOST_ROWS && !batch.last().is_some_and(Request::is_last) {
        let Some(request) = next() else { break };
        rows += request.weight();
        batch.push(request);
    }
}

/// What is to be tried again, and with which payload.
pub(crate) type Again = (Vec<TaskId>, Option<Edited>);

/// Up to which of what has ended it goes, if any of it does: by the time of its end, and among those that ended then by
/// arrival. Of what succeeded, failed and was cancelled: of tasks outside of runs, and of runs.
pub(crate) type Reach = [[Option<(i64, i64)>; 2]; 3];

/// What the writer is asked.
#[derive(Debug)]
pub(crate) enum Request {
    /// The permit is what bounds the queue: it is given back when the request is done.
    Dispatch(Ask<Vec<NewWork>, Vec<Dispatched>>, OwnedSemaphorePermit),
    Attach(Ask<(WorkerInfo, Inbox), ()>),
    Settle(Settle),
    Detach(Ask<WorkerId, ()>),
    Retire(Ask<WorkerId, ()>),
    Beat(Ask<WorkerId, Beat>),
    Reclaim(Ask<Vec<Peer>, Vec<TaskId>>),
    Cancel(Ask<Selection, Vec<(WorkId, CancelOutcome)>>),
    Note(Ask<(Claim, Notes), ()>),
    Signal(Ask<SignalGiven, SignalOutcome>),
    Pause(Ask<RunId, bool>),
    Resume(Ask<RunId, bool>),
    ResumeUndo(Ask<RunId, bool>),
    ExpireRuns(Ask<(), Vec<RunId>>),
    ChangeQueue(Ask<(String, QueueChange), QueueRecord>),
    KeepSchedules(Ask<Vec<NewSchedule>, ()>),
    DropSchedule(Ask<String, bool>),
    HoldSchedule(Ask<(String, bool, Option<Timestamp>), bool>),
    TurnSchedule(Ask<Turn, Vec<Dispatched>>),
    Revive(Ask<Again, Vec<(TaskId, Revived)>>),
    Discard(Ask<Vec<WorkId>, u64>),
    /// Somebody has looked how far it goes.
    Prune(Ask<(Prune, Reach), u64>),
    #[cfg(feature = "sqlite")]
    Pragmas(Ask<(), Pragmas>),
    /// Somebody waits, or the clock was moved: look again.
    Wake,
    Close(Ask<(), ()>),
    /// The store was dropped.
    Stop,
}

impl Request {
    /// Roughly how many rows it changes, so that a batch does not become too long.
    fn weight(&self) -> usize {
        match self {
            Self::Dispatch(ask, _) => ask.about.len(),
            Self::Settle(settle) => settle.finished.len(),
            _ => 1,
        }
    }

    /// How many attempts it ends.
    pub(crate) const fn ends(&self) -> usize {
        match self {
            Self::Settle(settle) => settle.finished.len(),
            _ => 0,
        }
    }

    /// Whether it ends the batch that it is in: nothing after it is done.
    pub(crate) const fn is_last(&self) -> bool {
        matches!(self, Self::Close(_) | Self::Stop)
    }

    /// Whether it needs a transaction, apart from the claims that it may lead to.
    pub(crate) fn writes(&self) -> bool {
        match self {
            Self::Settle(settle) => !settle.finished.is_empty(),
            Self::Dispatch(..)
            | Self::Attach(_)
            | Self::Retire(_)
            | Self::Beat(_)
            | Self::Reclaim(_)
            | Self::Cancel(_)
            | Self::Note(_)
            | Self::Signal(_)
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::ResumeUndo(_)
            | Self::ExpireRuns(_)
            | Self::ChangeQueue(_)
            | Self::KeepSchedules(_)
            | Self::DropSchedule(_)
            | Self::HoldSchedule(_)
            | Self::TurnSchedule(_)
            | Self::Revive(_)
            | Self::Discard(_)
            | Self::Prune(_) => true,
            Self::Detach(_) | Self::Wake | Self::Close(_) | Self::Stop => false,
            #[cfg(feature = "sqlite")]
            Self::Pragmas(_) => false,
        }
    }

    /// Answers, after the commit. A settle was answered by its worker's inbox.
    pub(crate) fn answer(self) {
        match self {
            Self::Dispatch(ask, _permit) => ask.answer(),
            Self::Attach(ask) => ask.answer(),
            Self::Detach(ask) | Self::Retire(ask) => ask.answer(),
            Self::Beat(ask) => ask.answer(),
            Self::Reclaim(ask) => ask.answer(),
            Self::Cancel(ask) => ask.answer(),
            Self::Note(ask) => ask.answer(),
            Self::Signal(ask) => ask.answer(),
            Self::Pause(ask) | Self::Resume(ask) | Self::ResumeUndo(ask) => ask.answer(),
            Self::ExpireRuns(ask) => ask.answer(),
            Self::ChangeQueue(ask) => ask.answer(),
            Self::KeepSchedules(ask) => ask.answer(),
            Self::DropSchedule(ask) => ask.answer(),
            Self::HoldSchedule(ask) => ask.answer(),
            Self::TurnSchedule(ask) => ask.answer(),
            Self::Revive(ask) => ask.answer(),
            Self::Discard(ask) => ask.answer(),
            Self::Prune(ask) => ask.answer(),
            #[cfg(feature = "sqlite")]
            Self::Pragmas(ask) => ask.answer(),
            Self::Close(ask) => ask.answer(),
            Self::Settle(_) | Self::Wake | Self::Stop => {}
        }
    }

    /// Says that nothing was done. A settle comes back, for its worker to give it again.
    pub(crate) fn refuse(self, error: StoreError) -> Option<(Settle, StoreError)> {
        match self {
            Self::Settle(settle) => return Some((settle, error)),
            Self::Dispatch(ask, _permit) => ask.refuse(error),
            Self::Attach(ask) => ask.refuse(error),
            Self::Detach(ask) | Self::Retire(ask) => ask.refuse(error),
            Self::Beat(ask) => ask.refuse(error),
            Self::Reclaim(ask) => ask.refuse(error),
            Self::Cancel(ask) => ask.refuse(error),
            Self::Note(ask) => ask.refuse(error),
            Self::Signal(ask) => ask.refuse(error),
            Self::Pause(ask) | Self::Resume(ask) | Self::ResumeUndo(ask) => ask.refuse(error),
            Self::ExpireRuns(ask) => ask.refuse(error),
            Self::ChangeQueue(ask) => ask.refuse(error),
            Self::KeepSchedules(ask) => ask.refuse(error),
            Self::DropSchedule(ask) => ask.refuse(error),
            Self::HoldSchedule(ask) => ask.refuse(error),
            Self::TurnSchedule(ask) => ask.refuse(error),
            Self::Revive(ask) => ask.refuse(error),
            Self::Discard(ask) => ask.refuse(error),
            Self::Prune(ask) => ask.refuse(error),
            #[cfg(feature = "sqlite")]
            Self::Pragmas(ask) => ask.refuse(error),
            Self::Close(ask) => ask.refuse(error),
            Self::Wake | Self::Stop => {}
        }
        None
    }
}
