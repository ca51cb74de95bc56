//! One transaction under way: what it has to hand, and what it will have done once it is committed.
//!
//! What hundreds of requests want alike costs one statement: the runs of all attempts that end are locked by one
//! ([`run`](super::run)), those that succeeded end by one ([`settle`](super::settle)), and what is added
//! ([`insert`](super::insert)) and what becomes of runs is written by one each, before anything reads it. That
//! takes for granted that the id of a continuation is new. If it is not, the transaction is undone, and done
//! again slowly: row by row.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::effects::Effects;
use super::fault::Outcome;
use super::fleet::{Fleet, Held};
use super::guard::Guard;
use super::inner::After;
use super::insert::Fresh;
use super::keys::{Holder, Place};
use super::limits::Bucket;
use super::link::Link;
use super::news::{ENDED, STOP, WORK};
use super::queues::{Hints, Queue, Room};
use super::request::{Request, Settle};
use super::run::RunRow;
use crate::id::{RunId, TaskId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::{Claim, Dispatched, Known};

impl Effects {
    /// What other nodes are to hear of it. `is_ours` says whether a worker is one of this node.
    pub(super) fn news(&self, is_ours: impl Fn(WorkerId) -> bool) -> u8 {
        let mut news = 0;
        if self.ready > 0 {
            news |= WORK;
        }
        if self.cancels.iter().any(|(worker, _)| !is_ours(*worker)) {
            news |= STOP;
        }
        if !self.ended.is_empty() {
            news |= ENDED;
        }
        news
    }
}

/// What a dispatch has added, or found there, once everything is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub(super) dispatched: Dispatched,
    /// The number of a task that may turn out to be there already.
    pub(super) ticket: Option<usize>,
}

/// What one look at the store has shown.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) next_due: Option<Timestamp>,
    /// What was put aside is looked at only if there is any.
    pub(super) apart: bool,
    pub(super) listed: HashSet<WorkerId>,
    /// What was said of the queues in which this process has free slots, where anything was.
    pub(super) queues: HashMap<String, Queue>,
}

/// One transaction under way.
pub(super) struct Batch<'a> {
    pub(super) link: Link<'a>,
    pub(super) fleet: &'a mut Fleet,
    pub(super) hints: &'a mut Hints,
    pub(super) now: Timestamp,
    pub(super) effects: Effects,
    /// Whether each row is written as soon as it is added.
    pub(super) slowly: bool,
    /// Tasks that are added, and not written yet.
    pub(super) fresh: Vec<Fresh>,
    /// Their ids, and their names with their keys: no two of them are the same.
    pub(super) fresh_ids: HashSet<TaskId>,
    pub(super) fresh_keys: HashSet<(Cow<'static, str>, String)>,
    pub(super) tickets: usize,
    /// Those that turned out to be there already, by their number.
    pub(super) taken: HashMap<usize, TaskId>,
    /// The runs that this transaction has locked, as they stand. What has changed is not written yet.
    pub(super) runs: BTreeMap<RunId, Option<RunRow>>,
    /// The runs of dispatches, which were added all at once, and whether each is new.
    pub(super) added_runs: HashMap<RunId, bool>,
    /// What is remembered, or stored, of the claims that end.
    pub(super) held: HashMap<Claim, Held>,
    /// Attempts that have succeeded, and what follows is still to be done.
    pub(super) succeeded: HashSet<Claim>,
    pub(super) survey: Option<Survey>,
    /// The rank and the priority of the first that is ready in a queue.
    pub(super) tops: HashMap<String, Option<(i64, i16)>>,
    /// What listed workers know, read when it is first needed.
    pub(super) knowledge: Option<Vec<Known>>,
    /// What is still to be done to other runs.
    pub(super) after: Vec<After>,
    /// Which work is there, and whose keys are taken, of what was looked up.
    pub(super) there: HashMap<uuid::Uuid, bool>,
    pub(super) keys: HashMap<Place, Option<Holder>>,
    /// Queues that something is dispatched to, and nobody has asked whether they take it.
    pub(super) offered: BTreeSet<String>,
    /// The queues that may refuse it, whose rows this transaction has.
    pub(super) guards: HashMap<String, Guard>,
    /// How many tasks may start in the queues that limit it.
    pub(super) rooms: HashMap<String, Room>,
    /// What was added for a worker that is next in a queue that limits how many run.
    pub(super) handed: Vec<(WorkerId, String, uuid::Uuid)>,
    /// The buckets whose rows this transaction has.
    pub(super) buckets: HashMap<String, Bucket>,
    /// Tasks that run no more, and buckets that have a slot more.
    pub(super) leaving: Vec<uuid::Uuid>,
    pub(super) freed: BTreeSet<String>,
    /// Whether tasks were put off to a time.
    pub(super) has_put_off: bool,
    dispatches: Vec<(usize, Vec<Given>)>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        link: &'a mut Link<'_>,
        fleet: &'a mut Fleet,
        hints: &'a mut Hints,
        now: Timestamp,
        slowly: bool,
    ) -> Self {
        Self {
            link: link.lend(),
            fleet,
            hints,
            now,
            effects: Effects::default(),
            slowly,
            fresh: Vec::new(),
            fresh_ids: HashSet::new(),
            fresh_keys: HashSet::new(),
            tickets: 0,
            taken: HashMap::new(),
            runs: BTreeMap::new(),
            added_runs: HashMap::new(),
            held: HashMap::new(),
            succeeded: HashSet::new(),
            survey: None,
            tops: HashMap::new(),
            knowledge: None,
            after: Vec::new(),
            there: HashMap::new(),
            keys: HashMap::new(),
            offered: BTreeSet::new(),
            guards: HashMap::new(),
            rooms: HashMap::new(),
            handed: Vec::new(),
            buckets: HashMap::new(),
            leaving: Vec::new(),
            freed: BTreeSet::new(),
            has_put_off: false,
            dispatches: Vec::new(),
        }
    }

    /// Does what is asked, within the transaction. The answers wait in the requests for the commit.
    pub(super) async fn apply_all(&mut self, requests: &mut [Request]) -> Outcome<()> {
        let mut from = 0;
        while from < requests.len() {
            // What is asked alike is prepared at once; everything else is done in its place.
            let alike = requests[from..].iter().take_while(|request| is_alike(request)).count();
            if alike > 0 {
                self.prepare(&requests[from..from + alike]).await?;
            }
            let to = from + alike.max(1);
            for (index, request) in (from..).zip(&mut requests[from..to]) {
                self.apply(index, request).await?;
            }
            from = to;
        }
        Ok(())
    }

    /// Everything is written; the dispatches know what they have added.
    pub(super) async fn finish(&mut self, requests: &mut [Request]) -> Outcome<()> {
        self.flush().await?;
        self.give_slots().await?;
        for (index, given) in std::mem::take(&mut self.dispatches) {
            if let Some(Request::Dispatch(ask, _)) = requests.get_mut(index) {
                ask.answer = Some(given.into_iter().map(|given| self.resolve(given)).collect());
            }
        }
        Ok(())
    }

    /// What was added, now that everything is written.
    pub(super) fn resolve(&self, given: Given) -> Dispatched {
        match given.ticket.and_then(|ticket| self.taken.get(&ticket)) {
            Some(&existing) => Dispatched { id: existing.into(), existing: true },
            None => given.dispatched,
        }
    }

    async fn prepare(&mut self, requests: &[Request]) -> Outcome<()> {
        self.look_up(requests).await?;
        self.add_runs_of(requests).await?;
        self.hold_ends_of(requests).await?;
        self.lock_guards_of(requests).await
    }

    async fn apply(&mut self, index: usize, request: &mut Request) -> Outcome<()> {
        match request {
            Request::Dispatch(ask, _) => match self.dispatch(&ask.about).await? {
                Ok(given) => {
                    ask.refusal = None;
                    self.dispatches.push((index, given));
                }
                Err(refusal) => ask.refusal = Some(refusal),
            },
            Request::Attach(ask) => {
                self.attach(&ask.about.0).await?;
                ask.answer = Some(());
            }
            Request::Settle(Settle { worker, finished, settled, .. }) => {
                settled.clear();
                for finished in finished.iter() {
                    settled.push((finished.claim, self.settle(*worker, finished).await?));
                }
            }
            Request::Detach(ask) => {
                self.fleet.silence(ask.about);
                ask.answer = Some(());
            }
            Request::Retire(ask) => ask.answer = Some(self.retire(ask.about).await?),
            Request::Beat(ask) => ask.answer = Some(self.beat(ask.about).await?),
            Request::Reclaim(ask) => ask.answer = Some(self.reclaim(&ask.about).await?),
            Request::Cancel(ask) => ask.answer = Some(self.cancel(&ask.about).await?),
            Request::Note(ask) => ask.answer = Some(self.note(ask.about.0, &ask.about.1).await?),
            Request::Signal(ask) => {
                let (run, step, was, value) = &ask.about;
                ask.answer = Some(self.signal(*run, step, was, value).await?);
            }
            Request::Pause(ask) => ask.answer = Some(self.pause(ask.about).await?),
            Request::Resume(ask) => ask.answer = Some(self.resume(ask.about).await?),
            Request::ResumeUndo(ask) => ask.answer = Some(self.resume_undo(ask.about).await?),
            Request::ExpireRuns(ask) => ask.answer = Some(self.expire_runs().await?),
            Request::KeepSchedules(ask) => ask.answer = Some(self.keep_schedules(&ask.about).await?),
            Request::DropSchedule(ask) => ask.answer = Some(self.drop_schedule(&ask.about).await?),
            Request::HoldSchedule(ask) => {
                let (id, paused, next) = &ask.about;
                ask.answer = Some(self.hold_schedule(id, *paused, *next).await?);
            }
            Request::TurnSchedule(ask) => ask.answer = Some(self.turn_schedule(&ask.about).await?),
            Request::Revive(ask) => {
                let (tasks, edited) = &ask.about;
                ask.answer = Some(self.revive(tasks, edited.as_ref()).await?);
            }
            Request::Discard(ask) => ask.answer = Some(self.discard(&ask.about).await?),
            Request::Prune(ask) => ask.answer = Some(self.prune(&ask.about.0, ask.about.1).await?),
            Request::Close(ask) => ask.answer = Some(()),
            #[cfg(feature = "sqlite")]
            Request::Pragmas(_) => {}
            Request::ChangeQueue(ask) => ask.answer = Some(self.change_queue(&ask.about.0, &ask.about.1).await?),
            Request::Wake | Request::Stop => {}
        }
        self.follow_up().await
    }

    /// Writes what is not written yet, because something is about to read it.
    pub(super) async fn flush(&mut self) -> Outcome<()> {
        self.flush_tasks().await?;
        self.flush_runs().await
    }

    /// The workers' rows have changed.
    pub(super) fn workers_changed(&mut self) {
        self.knowledge = None;
        self.survey = None;
        self.effects.stale = true;
    }

    /// Tasks may have become ready that were there before.
    pub(super) fn stir(&mut self) {
        self.tops.clear();
        self.effects.ready += 1;
    }
}

/// Whether this is among what is prepared at once: neither of them sees what the other does.
const fn is_alike(request: &Request) -> bool {
    matches!(request, Request::Dispatch(..) | Request::Settle(_))
}
