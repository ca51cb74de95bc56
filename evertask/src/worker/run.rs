//! The loop that owns a worker's slots. What the store says of its results is for [`answers`].

mod answers;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Shutdown;
use super::aftermath::Aftermath;
use super::attempt::{Attempt, Over, contained};
use super::health::{Health, Leaks};
use super::heart::Heart;
use super::manner::Manner;
use crate::context::{About, Context, Data, Stop};
use crate::id::WorkerId;
use crate::maintenance::Maintenance;
use crate::registry::Registry;
use crate::room::in_attempt;
use crate::schedule::{Clock, Retry};
use crate::store::{Claim, Claimed, Delivery, Finished, Inbox, Notes, ParkReason, Store, Verdict, WorkerInfo};
use crate::terms::Own;

/// How often progress and log lines of what runs are kept.
const NOTES_EVERY: Duration = Duration::from_secs(1);
/// The pause before a settlement that failed is tried again: the first, and the longest.
const RETRY_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// After the deadline of a shutdown, how long the hand-over may take.
const HAND_OVER: Duration = Duration::from_secs(5);
/// No deadline is later: the far end of time can't be added to a clock.
const LONGEST_DEADLINE: Duration = Duration::from_hours(24 * 365);

/// What a worker's loop is told.
#[derive(Debug)]
pub(super) enum Command {
    Shutdown {
        deadline: Duration,
        done: Option<oneshot::Sender<Shutdown>>,
    },
    Cancel(Vec<Claim>),
    /// This life was taken for dead.
    Lapsed(WorkerId),
    /// The store was out of reach for as long as the lease.
    OutOfContact,
}

/// How a worker treats its tasks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) grace: Duration,
    pub(super) max_crashes: u32,
    pub(super) max_leaked: usize,
    pub(super) max_payload: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { grace: Duration::from_secs(5), max_crashes: 5, max_leaked: 8, max_payload: crate::MAX_PAYLOAD }
    }
}

pub(super) struct Loop {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    registry: Arc<Registry>,
    data: Arc<Data>,
    settings: Settings,
    info: WorkerInfo,
    slots: BTreeMap<Arc<str>, u32>,
    /// How tasks of a queue are retried that say nothing themselves.
    retries: BTreeMap<String, Retry>,
    heart: Heart,
    maintenance: Option<Maintenance>,
    inbox: Inbox,
    running: HashMap<Claim, Running>,
    /// Those that run in a slot, with its queue; and the ends of those that were refused, without.
    attempts: JoinSet<(Over, Option<Arc<str>>)>,
    aftermath: Aftermath,
    leaks: Leaks,
    /// Whether the store writes what is to commit with tasks.
    #[cfg(feature = "sqlite")]
    writes_effects: bool,
    side: JoinSet<()>,
    unsettled: usize,
    held: Vec<Finished>,
    /// How often the store has refused these results, each by itself.
    refused: HashMap<Claim, u32>,
    retry: Option<(Instant, Duration)>,
    stopping: Option<Stopping>,
}

/// An attempt that has not ended, and the queue whose slot it has.
struct Running {
    cx: Context,
    queue: Arc<str>,
}

struct Stopping {
    deadline: Instant,
    aborted: bool,
    done: Option<oneshot::Sender<Shutdown>>,
    report: Shutdown,
}

impl Loop {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        registry: Arc<Registry>,
        data: Data,
        settings: Settings,
        info: WorkerInfo,
        slots: BTreeMap<String, u32>,
        retries: BTreeMap<String, Retry>,
        heart: Heart,
        maintenance: Maintenance,
        inbox: Inbox,
    ) -> Self {
        let slots = slots.into_iter().map(|(queue, slots)| (queue.into(), slots)).collect();
        Self {
            #[cfg(feature = "sqlite")]
            writes_effects: crate::store::writes_effects(&*store),
            store,
            clock,
            registry,
            data: Arc::new(data),
            settings,
            info,
            leaks: Leaks::new(settings.max_leaked, &slots),
            slots,
            retries,
            heart,
            maintenance: Some(maintenance),
            inbox,
            running: HashMap::new(),
            attempts: JoinSet::new(),
            aftermath: Aftermath::default(),
            side: JoinSet::new(),
            unsettled: 0,
            held: Vec::new(),
            refused: HashMap::new(),
            retry: None,
            stopping: None,
        }
    }

    /// How this worker is, from outside.
    pub(super) fn health(&self) -> Health {
        self.leaks.health()
    }

    pub(super) async fn run(
        mut self,
        mut deliveries: mpsc::UnboundedReceiver<Delivery>,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) {
        self.settle(Vec::new(), self.slots.clone());
        let mut notes = tokio::time::interval(NOTES_EVERY);
        notes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.is_done(&deliveries) {
            let wake = self.wake();
            tokio::select! {
                // Never `None`: the loop has a sender of its own.
                Some(delivery) = deliveries.recv() => self.deliver(delivery),
                Some(ended) = self.attempts.join_next(), if !self.attempts.is_empty() => {
                    // Whatever is about to end shares its transaction: the runtime wakes this loop first otherwise.
                    tokio::task::yield_now().await;
                    self.collect(ended);
                }
                queue = self.leaks.ended() => self.settle(Vec::new(), BTreeMap::from([(queue, 1)])),
                command = commands.recv() => self.obey(command).await,
                _ = notes.tick(), if !self.running.is_empty() => self.keep_notes(),
                Some(_) = self.side.join_next(), if !self.side.is_empty() => {}
                () = sleep_until(wake) => self.act_on_time(),
            }
        }
        self.end().await;
    }

    /// When something is to be done though nothing happens.
    fn wake(&self) -> Option<Instant> {
        let retry = self.retry.map(|(at, _)| at);
        let stop =
            self.stopping.as_ref().map(|stop| if stop.aborted { stop.deadline + HAND_OVER } else { stop.deadline });
        retry.into_iter().chain(stop).min()
    }

    fn act_on_time(&mut self) {
        let now = Instant::now();
        if let Some((at, _)) = self.retry
            && at <= now
        {
            let finished = std::mem::take(&mut self.held);
            self.retry = self.retry.map(|(_, pause)| (now + pause * 2, (pause * 2).min(RETRY_PAUSES.1)));
            if finished.is_empty() {
                self.retry = None;
            } else {
                self.settle(finished, BTreeMap::new());
            }
        }
        if let Some(stopping) = &mut self.stopping
            && !stopping.aborted
            && stopping.deadline <= now
        {
            stopping.aborted = true;
            self.tell_all(Stop::Aborted);
        }
    }

    fn is_done(&self, deliveries: &mpsc::UnboundedReceiver<Delivery>) -> bool {
        let Some(stopping) = &self.stopping else { return false };
        let settled = self.attempts.is_empty() && self.unsettled == 0 && self.held.is_empty() && deliveries.is_empty();
        settled || (stopping.aborted && Instant::now() >= stopping.deadline + HAND_OVER)
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Claimed(claimed) => self.start_all(claimed),
            Delivery::Settled(settled) => self.settled(&settled),
            Delivery::Refused(refused) => self.end_otherwise(refused),
            Delivery::Unsettled { finished, error } => self.hold(finished, &error),
            Delivery::Cancel(claims) => self.cancel(&claims),
        }
    }

    fn start_all(&mut self, claimed: Vec<Claimed>) {
        let mut not_started = Vec::new();
        for claimed in claimed {
            if self.stopping.is_some() {
                let verdict = Verdict::Interrupted;
                not_started.push(Finished { claim: claimed.claim, verdict, notes: Notes::default() });
            } else if let Err((finished, queue)) = self.start(claimed) {
                self.settle(vec![*finished], BTreeMap::from([(queue, 1)]));
            }
        }
        if let Some(stopping) = &mut self.stopping {
            stopping.report.handed_back += not_started.len();
            self.settle(not_started, BTreeMap::new());
        }
    }

    fn start(&mut self, mut claimed: Claimed) -> Result<(), (Box<Finished>, Arc<str>)> {
        let queue: Arc<str> = match self.slots.get_key_value(claimed.queue.as_str()) {
            Some((queue, _)) => queue.clone(),
            None => claimed.queue.as_str().into(),
        };
        let parked = |reason, detail, queue| {
            let verdict = Verdict::Parked { reason, detail };
            Err((Box::new(Finished { claim: claimed.claim, verdict, notes: Notes::default() }), queue))
        };
        let Some(found) = self.registry.runner(&claimed.name, claimed.of.as_ref()) else {
            let detail = format!("this program has no task `{}`", claimed.name);
            return parked(ParkReason::UnknownTask, detail, queue);
        };
        let own = match Own::decode(claimed.own.as_deref()) {
            Ok(own) => own,
            Err(error) => return parked(ParkReason::Undecodable, error.to_string(), queue),
        };
        let about = About {
            claim: claimed.claim,
            name: found.name,
            run: claimed.of.as_ref().map(|of| of.run),
            step: found.step.map(|step| step.name),
            attempt: claimed.failures.saturating_add(1),
            correlation: claimed.correlation.take(),
            deadline: claimed.deadline,
            occurrence: own.occurrence,
            max_payload: self.settings.max_payload,
            #[cfg(feature = "sqlite")]
            writes_effects: self.writes_effects,
        };
        let cx = Context::new(about, self.data.clone(), self.clock.clone());
        self.running.insert(claimed.claim, Running { cx: cx.clone(), queue: queue.clone() });
        let manner = Manner::of(&own, &found.options, self.retries.get(&claimed.queue), claimed.deadline);
        let attempt = Attempt {
            cx: cx.clone(),
            claimed,
            workflow: found.workflow,
            manner,
            step: found.step,
            store: self.store.clone(),
            earlier: None,
            max_crashes: self.settings.max_crashes,
            grace: self.settings.grace,
        };
        let attempt = (found.run)(attempt);
        self.attempts.spawn(in_attempt(async move { (contained(cx, attempt).await, Some(queue)) }));
        Ok(())
    }

    /// Takes what has ended, and whatever else has ended meanwhile, to the store in one go.
    fn collect(&mut self, first: Result<(Over, Option<Arc<str>>), tokio::task::JoinError>) {
        let (mut finished, mut free) = (Vec::new(), BTreeMap::new());
        let mut next = Some(first);
        while let Some(ended) = next {
            match ended {
                Ok((Over { finished: ended, otherwise }, queue)) => {
                    let running = self.running.remove(&ended.claim);
                    if let Some(stopping) = self.stopping.as_mut().filter(|_| queue.is_some()) {
                        match ended.verdict {
                            Verdict::Interrupted => stopping.report.handed_back += 1,
                            _ => stopping.report.drained += 1,
                        }
                    }
                    finished.push(ended);
                    if let Some(running) = &running {
                        self.aftermath.expect(&running.cx, otherwise);
                    }
                    match (queue, running.filter(|running| running.cx.blocks())) {
                        (Some(queue), Some(running)) => self.leaks.add(running.cx, queue),
                        (Some(queue), None) => *free.entry(queue).or_insert(0) += 1,
                        (None, _) => {}
                    }
                }
                Err(error) => tracing::error!(%error, "an attempt ended outside of its containment"),
            }
            next = self.attempts.try_join_next();
        }
        self.settle(finished, free);
    }

    fn settle(&mut self, finished: Vec<Finished>, mut free: BTreeMap<Arc<str>, u32>) {
        if self.stopping.is_some() {
            free.clear();
        }
        if !finished.is_empty() || !free.is_empty() {
            self.unsettled += finished.len();
            let free = free.into_iter().map(|(queue, slots)| (queue.to_string(), slots)).collect();
            self.store.settle(self.info.id, finished, free);
        }
    }

    async fn obey(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Cancel(claims)) => self.cancel(&claims),
            Some(Command::Lapsed(life)) if life == self.info.id => self.relive().await,
            Some(Command::Lapsed(_)) => {}
            Some(Command::OutOfContact) => {
                tracing::error!(
                    "the store was out of reach for a lease: what runs is stopped, because others may run it"
                );
                self.tell_all(Stop::Aborted);
            }
            Some(Command::Shutdown { deadline, done }) => self.stop(deadline, done).await,
            None => self.stop(Duration::ZERO, None).await,
        }
    }

    fn cancel(&self, claims: &[Claim]) {
        for running in claims.iter().filter_map(|claim| self.running.get(claim)) {
            running.cx.tell(Stop::Cancelled);
        }
    }

    /// Begins another life, after this one was taken for dead: its claims are gone.
    async fn relive(&mut self) {
        tracing::warn!(worker = %self.info.id, "this worker was taken for dead: it begins again");
        self.tell_all(Stop::Aborted);
        self.info.id = WorkerId::new();
        if let Err(error) = self.store.attach(self.info.clone(), self.inbox.clone()).await {
            // The next sign of life finds no row again, and comes back here.
            tracing::warn!(%error, "the worker can't begin again yet");
        }
        self.heart.relive(self.info.id);
        // What still runs frees its slot when it ends.
        let mut free = self.slots.clone();
        let running = self.running.values().map(|running| (&running.queue, 1));
        for (queue, taken) in running.chain(self.leaks.kept().iter().map(|(queue, kept)| (queue, *kept))) {
            free.entry(queue.clone()).and_modify(|slots| *slots = slots.saturating_sub(taken));
        }
        self.settle(Vec::new(), free);
    }

    async fn stop(&mut self, deadline: Duration, done: Option<oneshot::Sender<Shutdown>>) {
        if self.stopping.is_some() {
            return;
        }
        if let Some(maintenance) = self.maintenance.take() {
            maintenance.stop().await;
        }
        if let Err(error) = self.store.detach(self.info.id).await {
            tracing::warn!(%error, "the store was not told that the worker stops");
        }
        let deadline = Instant::now() + deadline.min(LONGEST_DEADLINE);
        self.stopping = Some(Stopping { deadline, aborted: false, done, report: Shutdown::default() });
        self.tell_all(Stop::Interrupted);
    }

    fn tell_all(&self, stop: Stop) {
        for running in self.running.values() {
            running.cx.tell(stop);
        }
    }

    fn keep_notes(&mut self) {
        for (claim, running) in &self.running {
            if running.cx.has_completed() {
                // Its row is its handler's until that commits.
                continue;
            }
            let notes = running.cx.take_notes();
            if !notes.is_empty() {
                let (reply, id) = (self.store.note(*claim, notes), claim.id);
                self.side.spawn(async move {
                    if let Err(error) = reply.await {
                        tracing::warn!(%error, %id, "progress and log lines were not kept");
                    }
                });
            }
        }
    }

    async fn end(mut self) {
        if !self.attempts.is_empty() {
            tracing::error!(
                attempts = self.attempts.len(),
                "these attempts block and can't be stopped: they are handed back while they still run"
            );
        }
        while self.side.join_next().await.is_some() {}
        self.heart.stop().await;
        if let Err(error) = self.store.retire(self.info.id).await {
            tracing::warn!(%error, "the worker's row stays until its lease is over");
        }
        if let Some(Stopping { done, mut report, .. }) = self.stopping {
            report.leaked = self.leaks.count();
            let Shutdown { drained, handed_back, leaked } = report;
            tracing::info!(drained, handed_back, leaked, "the worker has stopped");
            // Who dropped the worker does not listen.
            let _ = done.map(|done| done.send(report));
        }
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
