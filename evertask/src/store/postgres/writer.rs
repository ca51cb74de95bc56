//! The one task that writes. It waits for one request, takes whatever else waits, does all of it in one
//! transaction, fills free slots in the same, and answers when that is on disk. Alone, a request waits for
//! nobody; together, they share a handful of statements and one commit.
//!
//! While the database is away, requests wait for it for a while and are refused then. When the answer to a COMMIT
//! was lost, what it has done is read back, by the number that the transaction left in the row of this node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::query;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::batch::Batch;
use super::clock::DatabaseClock;
use super::effects::{Effects, refuse};
use super::fault::{Fault, Outcome, Remedy};
use super::fleet::Fleet;
use super::insert::POLL;
use super::linger::Linger;
use super::link::{Link, Purpose};
use super::news::Heard;
use super::outage::{Outage, by_chance};
use super::queues::Hints;
use super::reader::Job;
use super::request::{Request, Settle, gather};
use super::url::Place;
use super::wait::Waiters;
use super::{points, sql};
use crate::schedule::{Clock, Timestamp};
use crate::store::StoreError;

mod aside;
mod contact;
mod others;

use aside::{Aside, Waited};

/// How long to leave the claims alone after they failed.
const RECOVER: Duration = Duration::from_millis(250);

/// How often a transaction is repeated that other nodes were in the way of, and the longest pause before that.
const REPEATS: u32 = 10;
const LONGEST_REPEAT: Duration = Duration::from_millis(50);

/// How long to leave what is due alone that somebody else has locked.
const STEP_OVER: Duration = Duration::from_millis(20);

/// Between two calls to the other nodes there is at least this.
const QUIET: Duration = Duration::from_millis(10);

/// What the writer works with.
pub(super) struct Setup {
    pub(super) link: Link<'static>,
    pub(super) place: Place,
    pub(super) node: Uuid,
    pub(super) clock: Arc<dyn Clock>,
    /// The database's clock, where that is the one.
    pub(super) time: Option<Arc<DatabaseClock>>,
    pub(super) waiters: Arc<Waiters>,
    pub(super) heard: Arc<Heard>,
    pub(super) contact: watch::Sender<bool>,
    pub(super) generation: Arc<AtomicU64>,
    pub(super) jobs: mpsc::UnboundedSender<Job>,
}

/// Works until the store is closed or dropped.
pub(super) async fn run(setup: Setup, mut requests: mpsc::UnboundedReceiver<Request>) {
    let jobs = setup.jobs.clone();
    let mut writer = Writer {
        link: Some(setup.link),
        place: setup.place,
        node: setup.node,
        clock: setup.clock,
        time: setup.time,
        waiters: setup.waiters,
        heard: setup.heard,
        contact: setup.contact,
        generation: setup.generation,
        fleet: Fleet::default(),
        linger: Linger::default(),
        hints: Hints::default(),
        number: 0,
        outage: None,
        held: Vec::new(),
        aside: Aside::default(),
        unresolved: None,
        next_due: None,
        again: false,
        looked_round: Instant::now(),
        served: Instant::now(),
        recovers_at: None,
        unsaid: 0,
        said: None,
    };
    let last = writer.work(&mut requests).await;
    writer.waiters.close();
    let (done, is_done) = oneshot::channel();
    // The reader drops its end when its connection is closed, or has ended before.
    let _ = jobs.send(Job::Close(done));
    let _ = is_done.await;
    writer.leave().await;
    let Request::Close(mut ask) = last else { return };
    ask.answer = Some(());
    Request::Close(ask).answer();
    while let Some(request) = requests.recv().await {
        if matches!(request, Request::Stop) {
            return;
        }
        refuse(request, StoreError::Closed, &writer.fleet);
    }
}

/// A transaction whose COMMIT was not answered.
struct Unresolved {
    batch: Vec<Request>,
    effects: Effects,
    serve: bool,
}

/// A transaction that failed.
enum Failed {
    /// Nothing of it was done.
    Undone(Fault),
    /// All of it, or nothing.
    Unknown(Fault, Box<Effects>),
}

struct Writer {
    link: Option<Link<'static>>,
    place: Place,
    node: Uuid,
    clock: Arc<dyn Clock>,
    time: Option<Arc<DatabaseClock>>,
    waiters: Arc<Waiters>,
    heard: Arc<Heard>,
    contact: watch::Sender<bool>,
    generation: Arc<AtomicU64>,
    fleet: Fleet,
    linger: Linger,
    hints: Hints,
    /// The number of the last transaction.
    number: i64,
    outage: Option<Outage>,
    /// Requests that wait for the database.
    held: Vec<Request>,
    /// Requests that wait for others' transactions.
    aside: Aside,
    unresolved: Option<Unresolved>,
    next_due: Option<Timestamp>,
    /// There is more to look at than the last transaction should.
    again: bool,
    looked_round: Instant,
    /// When free slots were filled last, or could have been.
    served: Instant,
    /// Serving failed: not before this.
    recovers_at: Option<Instant>,
    /// What the other nodes have not been told, and when they were told last.
    unsaid: u8,
    said: Option<Instant>,
}

impl Writer {
    /// Gives back the request that ended it.
    async fn work(&mut self, requests: &mut mpsc::UnboundedReceiver<Request>) -> Request {
        loop {
            let mut batch = self.wait(requests).await;
            gather(&mut batch, || requests.try_recv().ok());
            self.linger(requests, &mut batch).await;
            let last = batch.pop_if(|request| request.is_last());
            for request in &mut batch {
                if let Request::Settle(Settle { worker, free, .. }) = request {
                    self.fleet.add_free(*worker, std::mem::take(free));
                }
            }
            self.held.append(&mut batch);
            if self.is_connected().await {
                let batch = std::mem::take(&mut self.held);
                self.handle(batch).await;
                self.try_aside().await;
            }
            self.refuse_the_impatient(last.is_some());
            if let Some(last) = last {
                self.end_aside();
                return last;
            }
            if self.link.is_some() {
                self.look_round().await;
                self.say().await;
            }
        }
    }

    /// Waits a moment for attempts that were handed out a moment ago, if that is likely to spare a transaction.
    async fn linger(&mut self, requests: &mut mpsc::UnboundedReceiver<Request>, batch: &mut Vec<Request>) {
        let Some(time) = self.linger.time().filter(|_| !batch.is_empty() && self.link.is_some()) else { return };
        let (until, before) = (tokio::time::Instant::now() + time, batch.len());
        let running = self.fleet.running();
        if running <= ends(batch) {
            return;
        }
        while running > ends(batch) && !batch.last().is_some_and(Request::is_last) {
            let Ok(Some(request)) = tokio::time::timeout_at(until, requests.recv()).await else { break };
            batch.push(request);
            gather(batch, || requests.try_recv().ok());
        }
        self.linger.waited(batch.len() > before);
    }

    /// Waits for a request, for news, or until there is something to do without any.
    async fn wait(&self, requests: &mut mpsc::UnboundedReceiver<Request>) -> Vec<Request> {
        let pause = self.pause();
        let sleep = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            request = requests.recv() => vec![request.unwrap_or(Request::Stop)],
            () = self.heard.wait() => Vec::new(),
            () = sleep => Vec::new(),
        }
    }

    /// How long there is nothing to do; for ever, where nobody here waits for anything.
    fn pause(&self) -> Option<Duration> {
        if let Some(outage) = &self.outage {
            let patience = (!self.held.is_empty() || self.unresolved.is_some()).then(|| outage.patience());
            let patience = patience.filter(|patience| !patience.is_zero());
            return patience.into_iter().chain([outage.pause()]).min();
        }
        let watching = !self.fleet.is_empty() || self.waiters.any();
        let look_round = watching.then(|| poll().saturating_sub(self.looked_round.elapsed()));
        let recover = self.recovers_at.map(|at| at.saturating_duration_since(Instant::now()));
        let serve = if !self.fleet.wants() {
            None
        } else if recover.is_some() {
            recover
        } else if self.again {
            Some(Duration::ZERO)
        } else {
            // What is due and was not claimed is locked by somebody who is about to.
            self.next_due.and_then(|due| self.clock.sleep_until(due)).map(|pause| pause.max(STEP_OVER))
        };
        let look_for_work = self.looks_for_work().then(|| poll().saturating_sub(self.served.elapsed()));
        let say = (self.unsaid != 0).then(|| QUIET.saturating_sub(self.said.map_or(QUIET, |said| said.elapsed())));
        [look_round, look_for_work, serve, say, self.aside.pause()].into_iter().flatten().min()
    }

    /// Does a batch: in one transaction, or each request in its own if that fails.
    async fn handle(&mut self, batch: Vec<Request>) {
        let serve = self.is_time_to_serve();
        if !serve && batch.is_empty() {
            return;
        }
        let Some((batch, fault)) = self.attempt(batch, serve, None).await else { return };
        if batch.is_empty() {
            return self.serving_failed(fault);
        }
        if batch.len() == 1 && !serve {
            return self.refuse_all(batch, fault);
        }
        tracing::debug!(?fault, requests = batch.len(), "a batch failed: its requests are done one by one");
        // Somebody else has what one of them needs: it is not waited for again.
        let waited = fault.is_lock().then(Waited::begin);
        let mut batch = batch.into_iter();
        while let Some(request) = batch.next() {
            if self.link.is_none() {
                self.held.push(request);
                self.held.extend(batch);
                return;
            }
            if let Some((request, fault)) = self.attempt(vec![request], false, waited).await {
                self.refuse_all(request, fault);
            }
        }
        if serve
            && self.link.is_some()
            && let Some((_, fault)) = self.attempt(Vec::new(), true, None).await
        {
            self.serving_failed(fault);
        }
    }

    /// Tries until it is done, or waits for the database, or can't be done: then it comes back.
    /// What has waited for a lock does not wait for it again.
    async fn attempt(
        &mut self,
        mut batch: Vec<Request>,
        serve: bool,
        waited: Option<Waited>,
    ) -> Option<(Vec<Request>, Fault)> {
        let (mut slowly, mut repeats) = (false, 0);
        loop {
            let Some(mut link) = self.link.take() else {
                self.held.splice(0..0, batch);
                return None;
            };
            let failed = match self.transact(&mut link, &mut batch, serve, slowly, waited.is_some()).await {
                Ok(effects) => {
                    self.link = Some(link);
                    self.publish(batch, effects, serve);
                    return None;
                }
                Err(failed) => failed,
            };
            let fault = match failed {
                Failed::Undone(fault) => fault,
                Failed::Unknown(fault, effects) => {
                    self.unresolved = Some(Unresolved { batch, effects: *effects, serve });
                    self.lose(&fault);
                    return None;
                }
            };
            self.fleet.roll_back();
            let rolled_back = match fault.remedy() {
                Remedy::Reconnect => Err(None),
                _ => link.script(sql::ROLLBACK.to_owned()).await.map_err(Some),
            };
            if let Err(lost) = rolled_back {
                self.lose(lost.as_ref().unwrap_or(&fault));
                self.held.splice(0..0, batch);
                return None;
            }
            self.link = Some(link);
            match fault.remedy() {
                Remedy::Slowly if !slowly => slowly = true,
                Remedy::Repeat if fault.is_lock() => return self.set_aside(batch, fault, serve, waited),
                Remedy::Carefully if repeats < REPEATS => repeats += 1,
                Remedy::Repeat if repeats < REPEATS => {
                    repeats += 1;
                    tokio::time::sleep(by_chance(LONGEST_REPEAT)).await;
                }
                _ => return Some((batch, fault)),
            }
        }
    }

    /// One transaction. When it fails, all is as before, on disk and in memory.
    async fn transact(
        &mut self,
        link: &mut Link<'_>,
        batch: &mut [Request],
        serve: bool,
        slowly: bool,
        hurried: bool,
    ) -> Result<Effects, Failed> {
        let begun = Instant::now();
        // What is asked now is meant now, however long the way to the database.
        let now = self.clock.now();
        let writes = serve || batch.iter().any(Request::writes);
        if writes {
            link.begin().await.map_err(Failed::Undone)?;
        }
        if writes && hurried {
            link.script(sql::HURRY.to_owned()).await.map_err(Failed::Undone)?;
        }
        let mut transaction = Batch::new(link, &mut self.fleet, &mut self.hints, now, slowly);
        transaction.apply_all(batch).await.map_err(Failed::Undone)?;
        if serve {
            transaction.serve().await.map_err(Failed::Undone)?;
        }
        transaction.finish(batch).await.map_err(Failed::Undone)?;
        let effects = transaction.effects;
        if !writes {
            return Ok(effects);
        }
        self.number += 1;
        let commit = self.commit(&effects);
        points::before_commit(batch, &effects);
        if let Err(fault) = link.script(commit).await {
            let is_known = fault.remedy() != Remedy::Reconnect;
            return Err(if is_known { Failed::Undone(fault) } else { Failed::Unknown(fault, Box::new(effects)) });
        }
        self.linger.committed(begun.elapsed(), !effects.claims.is_empty());
        points::after_commit(batch, &effects);
        Ok(effects)
    }

    /// The end of a transaction: its number, what others are to hear of it, and the commit, all in one go.
    fn commit(&mut self, effects: &Effects) -> String {
        let (node, number) = (self.node, self.number);
        let mut commit = sql::number_batch(node, number);
        self.unsaid |= self.news_of(effects);
        if self.unsaid != 0 && self.said.is_none_or(|said| said.elapsed() >= QUIET) {
            commit.push_str(&self.call());
            commit.push_str("; ");
            // If the transaction fails, others look in vain.
            (self.unsaid, self.said) = (0, Some(Instant::now()));
        }
        commit.push_str(sql::COMMIT);
        commit
    }

    fn is_time_to_serve(&mut self) -> bool {
        if self.recovers_at.is_some_and(|at| at > Instant::now()) {
            return false;
        }
        self.recovers_at = None;
        self.fleet.wants()
    }

    fn serving_failed(&mut self, fault: Fault) {
        let error = fault.at(&self.place.shown);
        tracing::warn!(%error, "no claims could be made; trying again");
        self.recovers_at = Some(Instant::now() + RECOVER);
    }

    fn refuse_all(&mut self, batch: Vec<Request>, fault: Fault) {
        let error = fault.at(&self.place.shown);
        for request in batch {
            refuse(request, error.clone(), &self.fleet);
        }
    }

    /// It is on disk.
    fn publish(&mut self, batch: Vec<Request>, effects: Effects, served: bool) {
        if served {
            self.served = Instant::now();
            (self.next_due, self.again) = (effects.next_due, effects.more);
        }
        if effects.stale {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        effects.publish(batch, &mut self.fleet, &self.waiters);
    }
}

/// A connection for the writer, on which the node has its row.
pub(super) async fn open(place: &Place, node: Uuid, time: Option<&DatabaseClock>) -> Outcome<Link<'static>> {
    let mut link = Link::open(place, Purpose::Write).await?;
    link.begin().await?;
    if let Some(clock) = time {
        link.tell_time(clock).await?;
    }
    link.execute(query(sql::INSERT_NODE).bind(node)).await?;
    link.script(sql::COMMIT.to_owned()).await?;
    Ok(link)
}

/// How many attempts these end.
fn ends(batch: &[Request]) -> usize {
    batch.iter().map(Request::ends).sum()
}

fn poll() -> Duration {
    Duration::from_millis(POLL.unsigned_abs())
}
