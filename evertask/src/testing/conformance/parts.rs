//! Parts of runs, for the cases about joins, items, undo, signals, pauses and runs within runs.

use uuid::Uuid;

use crate::id::{RunId, TaskId};
use crate::store::{
    Arrival, Claim, Claimed, Earlier, Follow, Member, NewEach, NewRun, NewTask, NewWork, SignalOutcome, Verdict, Wait,
};

use super::bench::{Bench, flow, step, succeeded, then};
use super::worker::TestWorker;

/// A run whose first step a worker has.
pub(super) async fn begun(bench: &Bench, run: NewRun) -> (RunId, TestWorker, Claim) {
    let id = bench.start(run).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    (id, worker, claim)
}

/// A run with these steps after its first: each of them ready.
pub(super) async fn fanned_out(bench: &Bench, run: NewRun, steps: Vec<NewTask>) -> (RunId, TestWorker) {
    let (id, mut worker, claim) = begun(bench, run).await;
    worker.finish(claim, succeeded(then(steps))).await;
    (id, worker)
}

/// A run of which this has followed the first step.
pub(super) async fn led_to(bench: &Bench, run: NewRun, next: impl FnOnce(RunId) -> Follow) -> (RunId, TestWorker) {
    let (id, mut worker, claim) = begun(bench, run).await;
    worker.finish(claim, succeeded(next(id))).await;
    (id, worker)
}

/// A run of `flow` that succeeds whatever it does.
pub(super) fn easy() -> NewRun {
    NewRun { output: Some(b"0".to_vec()), ..flow() }
}

/// A success with this output.
pub(super) fn gave(json: &str, next: Follow) -> Verdict {
    Verdict::Succeeded { output: json.as_bytes().to_vec(), next }
}

/// A step that waits for a signal.
pub(super) fn awaiting(run: RunId, name: &'static str) -> NewTask {
    NewTask { wait: Some(Wait::Signal), ..step(run, name) }
}

/// What undoes a step, with this payload to tell it from others.
pub(super) fn undo(run: RunId, payload: &str) -> NewTask {
    NewTask { payload: payload.as_bytes().to_vec(), ..step(run, "undo") }
}

/// What follows: something that undoes the step, should it come to that.
pub(super) fn undone_by(run: RunId, payload: &str, next: Follow) -> Follow {
    Follow { undo: Some(undo(run, payload)), ..next }
}

/// One task of a step for each item, whose payload is its number.
pub(super) fn each(run: RunId, name: &'static str, items: usize, limit: Option<u32>) -> NewEach {
    let task = |item: usize| NewTask { payload: item.to_string().into_bytes(), ..step(run, name) };
    NewEach { id: Uuid::now_v7(), tasks: (0..items).map(task).collect(), limit, arrival: None }
}

pub(super) fn ids_of(each: &NewEach) -> Vec<TaskId> {
    each.tasks.iter().map(|task| task.id).collect()
}

/// What follows: one task for each item.
pub(super) fn for_each(each: NewEach) -> Follow {
    Follow { work: vec![NewWork::Each(each)], ..Follow::default() }
}

/// A join of these steps into `gather`.
#[derive(Clone)]
pub(super) struct Join {
    pub(super) members: Vec<Member>,
    pub(super) settled: bool,
    pub(super) then: NewTask,
}

pub(super) fn join(run: RunId, members: &[&'static str]) -> Join {
    let members = members.iter().map(|&step| Member { step: step.into(), was: &[], each: false }).collect();
    Join { members, settled: false, then: NewTask { payload: Vec::new(), ..step(run, "gather") } }
}

impl Join {
    /// One of the members is the outputs of an `each`.
    pub(super) fn each(mut self, member: usize) -> Self {
        self.members[member].each = true;
        self
    }

    pub(super) fn settled(mut self) -> Self {
        self.settled = true;
        self
    }

    pub(super) fn arrival(&self, member: u32) -> Arrival {
        let Self { members, settled, then } = self.clone();
        Arrival { join: "gather".into(), member, members, settled, then }
    }

    /// What follows: this member has arrived.
    pub(super) fn at(&self, member: u32) -> Follow {
        Follow { arrival: Some(self.arrival(member)), ..Follow::default() }
    }
}

/// A run of `flow` that is the step `inner` of another.
pub(super) fn inner(outer: RunId) -> NewRun {
    NewRun { step: Some(step(outer, "inner")), ..flow() }
}

pub(super) fn step_id(run: &NewRun) -> TaskId {
    run.step.as_ref().expect("it is a step").id
}

/// What follows: a run.
pub(super) fn runs(run: NewRun) -> Follow {
    Follow { work: vec![NewWork::Run(Box::new(run))], ..Follow::default() }
}

pub(super) fn payload(claimed: &Claimed) -> &str {
    std::str::from_utf8(&claimed.payload).expect("payloads are text here")
}

impl Bench {
    pub(super) async fn signal(&self, run: RunId, step: &str, value: &str) -> SignalOutcome {
        self.signal_renamed(run, step, &[], value).await
    }

    /// For a step that had other names.
    pub(super) async fn signal_renamed(
        &self,
        run: RunId,
        step: &str,
        was: &'static [&'static str],
        value: &str,
    ) -> SignalOutcome {
        let value = value.as_bytes().to_vec();
        self.store.signal(run, step.to_owned(), was, value).await.expect("the signal is answered")
    }

    pub(super) async fn pause(&self, run: RunId) -> bool {
        self.store.pause(run).await.expect("the pause is answered")
    }

    pub(super) async fn resume(&self, run: RunId) -> bool {
        self.store.resume(run).await.expect("the resume is answered")
    }

    pub(super) async fn resume_undo(&self, run: RunId) -> bool {
        self.store.resume_undo(run).await.expect("the resume is answered")
    }

    pub(super) async fn earlier(&self, run: RunId, steps: &[&str]) -> Earlier {
        let steps = steps.iter().map(|&step| step.to_owned()).collect();
        self.store.earlier(run, steps).await.expect("the question is answered")
    }
}
