//! The one thread that writes. It waits for one request, takes whatever else waits, does all of it in one
//! transaction, fills free slots in the same, and answers when that is on disk. Alone, a request waits for
//! nobody; together, they share one sync of the disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::batch::{Batch, Hot};
use super::effects::{Effects, refuse};
use super::fault::{Fault, Outcome};
use super::fleet::Fleet;
use super::linger::Linger;
use super::orphans::{Denied, Presence};
use super::queues::Queues;
use super::request::{Request, Settle, gather};
use super::value::Id;
use super::wait::Waiters;
use super::{points, sql};
use crate::id::WorkId;
use crate::schedule::{Clock, Timestamp};
use crate::store::StoreError;

/// How often to ask whether another process has committed, while anybody here would want to know.
const LOOK_ROUND: Duration = Duration::from_millis(100);

/// How long to leave the claims alone after they failed.
const RECOVER: Duration = Duration::from_millis(250);

/// What the thread works with.
pub(super) struct Setup {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) waiters: Arc<Waiters>,
    /// Closes the connection that reads, and returns when it is closed.
    pub(super) close_reader: Box<dyn FnOnce() + Send>,
}

/// How the thread's work ended, and what was asked after that.
struct Ending {
    close: Option<Request>,
    late: Vec<Request>,
    /// Who still has to be told that nothing is done any more.
    fleet: Fleet,
}

/// Works until the store is dropped.
pub(super) fn run(setup: Setup, requests: &Receiver<Request>, ready: impl FnOnce(Result<(), StoreError>)) {
    let Setup { conn, path, clock, waiters, close_reader } = setup;
    let ending = {
        let hot = match Hot::prepare(&conn) {
            Ok(hot) => hot,
            Err(fault) => return ready(Err(fault.at(&path))),
        };
        ready(Ok(()));
        let presence = Presence::new(&path);
        let writer = Writer {
            conn: &conn,
            hot,
            path,
            clock,
            waiters: Arc::clone(&waiters),
            fleet: Fleet::default(),
            queues: Queues::default(),
            presence,
            next_due: None,
            again: false,
            seen_version: 0,
            looked_round: Instant::now(),
            recovers_at: None,
            linger: Linger::default(),
        };
        writer.work(requests)
    };
    waiters.close();
    close_reader();
    points::hit("sqlite.checkpoint.before");
    // What can't be moved now is moved by whoever opens the file next.
    let _ = conn.query_row(sql::CHECKPOINT, [], |_| Ok(()));
    points::hit("sqlite.checkpoint.after");
    drop(conn);
    let Ending { close: Some(close), late, fleet } = ending else { return };
    close.answer();
    for request in late {
        refuse(request, StoreError::Closed, &fleet);
    }
    while let Ok(request) = requests.recv() {
        if matches!(request, Request::Stop) {
            return;
        }
        refuse(request, StoreError::Closed, &fleet);
    }
}

struct Writer<'c> {
    conn: &'c Connection,
    hot: Hot<'c>,
    path: PathBuf,
    clock: Arc<dyn Clock>,
    waiters: Arc<Waiters>,
    fleet: Fleet,
    queues: Queues,
    presence: Presence,
    next_due: Option<Timestamp>,
    /// There is more to look at than the last transaction should.
    again: bool,
    seen_version: i64,
    looked_round: Instant,
    /// Serving failed: not before this.
    recovers_at: Option<Instant>,
    linger: Linger,
}

impl Writer<'_> {
    fn work(mut self, requests: &Receiver<Request>) -> Ending {
        loop {
            let mut batch = match self.wait(requests) {
                Ok(batch) => batch,
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => vec![Request::Stop],
            };
            gather(&mut batch, || requests.try_recv().ok());
            self.linger(requests, &mut batch);
            let last = batch.pop_if(|request| request.is_last());
            self.enter_if_attaching(&mut batch);
            self.handle(batch);
            match last {
                Some(Request::Stop) => return Ending { close: None, late: Vec::new(), fleet: self.fleet },
                Some(mut close) => {
                    if let Request::Close(ask) = &mut close {
                        ask.answer = Some(());
                    }
                    let late = requests.try_iter().collect();
                    return Ending { close: Some(close), late, fleet: self.fleet };
                }
                None => self.look_round(),
            }
        }
    }

    /// Waits a moment for attempts that were handed out a moment ago, if that is likely to spare a commit.
    fn linger(&mut self, requests: &Receiver<Request>, batch: &mut Vec<Request>) {
        let Some(time) = self.linger.time().filter(|_| !batch.is_empty()) else { return };
        let mut running = self.fleet.running();
        for request in batch.iter() {
            running = running.saturating_sub(request.ends());
        }
        if running == 0 {
            return;
        }
        let (until, before) = (Instant::now() + time, batch.len());
        gather(batch, || {
            let request = if running == 0 {
                requests.try_recv().ok()
            } else {
                requests.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
            }?;
            running = running.saturating_sub(request.ends());
            Some(request)
        });
        self.linger.waited(batch.len() > before);
    }

    /// Waits for a request, or until there is something to do without one.
    fn wait(&self, requests: &Receiver<Request>) -> Result<Vec<Request>, RecvTimeoutError> {
        match self.pause() {
            Some(pause) => requests.recv_timeout(pause),
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
        .map(|request| vec![request])
    }

    /// How long there is nothing to do; for ever, where nobody here waits for anything.
    fn pause(&self) -> Option<Duration> {
        let wants = self.fleet.wants();
        let watching = !self.fleet.is_empty() || self.waiters.any();
        let look_round = watching.then(|| LOOK_ROUND.saturating_sub(self.looked_round.elapsed()));
        let recover = self.recovers_at.map(|at| at.saturating_duration_since(Instant::now()));
        let serve = if !wants {
            None
        } else if recover.is_some() {
            recover
        } else if self.again {
            Some(Duration::ZERO)
        } else {
            self.next_due.and_then(|due| self.clock.sleep_until(due))
        };
        [look_round, serve].into_iter().flatten().min()
    }

    /// Before the first worker of this process is listed, what dead processes left is taken over at once.
    fn enter_if_attaching(&mut self, batch: &mut Vec<Request>) {
        if self.presence.is_held() || !batch.iter().any(|request| matches!(request, Request::Attach(_))) {
            return;
        }
        let now = self.clock.now();
        let (conn, hot, fleet, waiters) = (self.conn, &mut self.hot, &mut self.fleet, &self.waiters);
        let queues = &mut self.queues;
        let entered = self.presence.enter(|| {
            hot.begin.execute([])?;
            let mut adoption = Batch::new(conn, hot, fleet, queues, now);
            let adopted = adoption.adopt().and_then(|adopted| adoption.list_ends().map(|()| adopted));
            let ended = std::mem::take(&mut adoption.effects.ended);
            let committed = adopted.and_then(|adopted| {
                points::hit("sqlite.reclaim.before_commit");
                Ok(hot.commit.execute([]).map(|_| adopted)?)
            });
            match committed {
                Ok(adopted) => {
                    points::hit("sqlite.reclaim.after_commit");
                    if !adopted.is_empty() {
                        tracing::info!(tasks = adopted.len(), "took over what a dead process left");
                    }
                    waiters.tell(&ended);
                    Ok(())
                }
                Err(fault) => Err(fault),
            }
        });
        let error = match entered {
            Ok(()) => return,
            Err(Denied::Adopt(fault)) => {
                self.roll_back();
                fault.at(&self.path)
            }
            Err(Denied::Lock(error)) => {
                StoreError::Unavailable { reason: format!("the lock of `{}`: {error}", self.path.display()) }
            }
        };
        for request in batch.extract_if(.., |request| matches!(request, Request::Attach(_))) {
            refuse(request, error.clone(), &self.fleet);
        }
    }

    /// Does a batch: in one transaction, or each request in its own if that fails.
    fn handle(&mut self, mut batch: Vec<Request>) {
        for request in &mut batch {
            if let Request::Settle(Settle { worker, free, .. }) = request {
                self.fleet.add_free(*worker, std::mem::take(free));
            }
        }
        let serve = self.is_time_to_serve();
        if !serve && batch.is_empty() {
            return;
        }
        match self.transact(&mut batch, serve) {
            Ok(effects) => effects.publish(batch, &mut self.fleet, &self.waiters),
            Err(Failed { fault, at_statement: true }) if batch.len() > 1 || (serve && !batch.is_empty()) => {
                tracing::debug!(?fault, requests = batch.len(), "a batch failed: its requests are done one by one");
                for request in batch {
                    self.handle_alone(request);
                }
                if serve {
                    self.serve_alone();
                }
            }
            Err(Failed { fault, .. }) if batch.is_empty() => self.serving_failed(fault),
            Err(Failed { fault, .. }) => {
                if serve {
                    self.recovers_at = Some(Instant::now() + RECOVER);
                }
                let error = fault.at(&self.path);
                for request in batch {
                    refuse(request, error.clone(), &self.fleet);
                }
            }
        }
    }

    fn handle_alone(&mut self, request: Request) {
        let mut batch = vec![request];
        match self.transact(&mut batch, false) {
            Ok(effects) => effects.publish(batch, &mut self.fleet, &self.waiters),
            Err(Failed { fault, .. }) => {
                let error = fault.at(&self.path);
                for request in batch {
                    refuse(request, error.clone(), &self.fleet);
                }
            }
        }
    }

    fn serve_alone(&mut self) {
        match self.transact(&mut [], true) {
            Ok(effects) => effects.publish(Vec::new(), &mut self.fleet, &self.waiters),
            Err(Failed { fault, .. }) => self.serving_failed(fault),
        }
    }

    fn serving_failed(&mut self, fault: Fault) {
        let error = fault.at(&self.path);
        tracing::warn!(%error, "no claims could be made; trying again");
        self.recovers_at = Some(Instant::now() + RECOVER);
    }

    fn is_time_to_serve(&mut self) -> bool {
        if self.recovers_at.is_some_and(|at| at > Instant::now()) {
            return false;
        }
        self.recovers_at = None;
        self.fleet.wants()
    }

    /// One transaction. When it fails, all is as before, on disk and in memory.
    fn transact(&mut self, batch: &mut [Request], serve: bool) -> Result<Effects, Failed> {
        let writes = serve || batch.iter().any(Request::writes);
        if writes {
            self.hot.begin.execute([]).map_err(|error| Failed { fault: error.into(), at_statement: false })?;
        }
        let mut transaction = Batch::new(self.conn, &mut self.hot, &mut self.fleet, &mut self.queues, self.clock.now());
        let done = batch.iter_mut().try_for_each(|request| transaction.apply(request));
        let done = done.and_then(|()| if serve { transaction.serve() } else { Ok(()) });
        let done = done.and_then(|()| transaction.list_ends());
        let effects = transaction.effects;
        let committed = match done {
            Ok(()) if writes => {
                points::before_commit(batch, &effects);
                let begun = Instant::now();
                let committed = self.hot.commit.execute([]);
                self.linger.committed(begun.elapsed(), !effects.claims.is_empty());
                committed.map_err(|error| Failed { fault: error.into(), at_statement: false })
            }
            Ok(()) => Ok(0),
            Err(fault) => Err(Failed { fault, at_statement: true }),
        };
        if let Err(failed) = committed {
            self.roll_back();
            return Err(failed);
        }
        points::after_commit(batch, &effects);
        if serve {
            self.next_due = effects.next_due;
            self.again = effects.more;
        }
        Ok(effects)
    }

    fn roll_back(&mut self) {
        self.fleet.roll_back();
        self.queues.forget();
        if !self.conn.is_autocommit()
            && let Err(error) = self.conn.execute_batch(sql::ROLLBACK)
        {
            tracing::error!(%error, "a transaction could not be undone");
        }
    }

    /// Asks, now and then, whether another process has committed; if so, there may be work, cancels and ends.
    fn look_round(&mut self) {
        let watching = !self.fleet.is_empty() || self.waiters.any();
        if !watching || self.looked_round.elapsed() < LOOK_ROUND {
            return;
        }
        self.looked_round = Instant::now();
        if let Err(fault) = self.look() {
            let error = fault.at(&self.path);
            tracing::warn!(%error, "could not see what other processes did; trying again");
        }
    }

    fn look(&mut self) -> Outcome<()> {
        let version = self.conn.prepare_cached(sql::DATA_VERSION)?.query_row([], |row| row.get(0))?;
        if version == self.seen_version {
            return Ok(());
        }
        if self.is_time_to_serve() {
            self.serve_alone();
        }
        let now = self.clock.now();
        let asking = Batch::new(self.conn, &mut self.hot, &mut self.fleet, &mut self.queues, now);
        let mut cancels = Vec::new();
        for worker in asking.fleet.ids() {
            cancels.extend(asking.to_stop(worker)?.into_iter().map(|claim| (worker, claim)));
        }
        self.fleet.tell_to_stop(cancels);
        let mut ended = Vec::new();
        for id in self.waiters.awaited() {
            if !lives(self.conn, id)? {
                ended.push(id);
            }
        }
        self.waiters.tell(&ended);
        self.seen_version = version;
        Ok(())
    }
}

/// A transaction that failed.
struct Failed {
    fault: Fault,
    /// At one of its statements, so that it may be the fault of one request; else nothing of it can be done.
    at_statement: bool,
}

/// Whether a task or a run is there and has not ended.
pub(super) fn lives(conn: &Connection, id: WorkId) -> Outcome<bool> {
    let find = match id {
        WorkId::Task(_) => sql::TASK_LIVES,
        WorkId::Run(_) => sql::RUN_LIVES,
    };
    Ok(conn.prepare_cached(find)?.exists([Id(id.uuid())])?)
}
