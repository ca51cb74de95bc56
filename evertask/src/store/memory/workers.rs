//! The lives of workers: listed, beating, gone; and what becomes of their claims.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::id::{TaskId, WorkerId};
use crate::store::{AttemptRecord, Beat, Delivery, Inbox, Known, Peer, WorkerInfo, rules};

use super::state::{Kind, KindId, State};

/// A worker of this process.
#[derive(Debug)]
pub(super) struct Attached {
    place: String,
    lease: Duration,
    beat: i64,
    /// Its row; a worker that was taken for dead has none, but still hears what became of its claims.
    listed: bool,
    /// Whether it takes claims: until it is detached.
    claiming: bool,
    knows: Known,
    /// The same, by kind.
    known: Vec<bool>,
    inbox: Inbox,
    pub(super) running: BTreeSet<TaskId>,
}

impl Attached {
    pub(super) fn is_listed(&self) -> bool {
        self.listed
    }

    pub(super) fn may_claim(&self) -> bool {
        self.listed && self.claiming && !self.inbox.is_closed()
    }

    pub(super) fn knows(&self, kind: KindId) -> bool {
        self.known.get(kind).copied().unwrap_or(false)
    }

    /// Looks up the next new kind, once.
    pub(super) fn learn(&mut self, kind: &Kind) -> bool {
        let known = self.knows.lacks(&kind.name, kind.step()).is_none();
        self.known.push(known);
        known
    }

    pub(super) fn send(&self, delivery: Delivery) {
        // Nobody listens any more: then nobody misses it.
        let _ = self.inbox.send(delivery);
    }
}

impl State {
    pub(super) fn attach(&mut self, info: WorkerInfo, inbox: Inbox) {
        for (name, rules) in &info.queues {
            self.declare(name, *rules);
        }
        self.unlist(info.id);
        let running = self.workers.remove(&info.id).map(|before| before.running).unwrap_or_default();
        let mut worker = Attached {
            place: info.place,
            lease: info.lease,
            beat: 0,
            listed: true,
            claiming: true,
            knows: info.knows,
            known: Vec::new(),
            inbox,
            running,
        };
        let known: Vec<KindId> = self.kinds.iter().filter_map(|(id, kind)| worker.learn(kind).then_some(id)).collect();
        self.workers.insert(info.id, worker);
        let now = self.now;
        for kind in known {
            self.kinds.knowers[kind] += 1;
            for id in self.kinds.parked[kind].clone() {
                self.make_ready(id, |row| row.run_at = now);
            }
        }
    }

    pub(super) fn detach(&mut self, worker: WorkerId) {
        if let Some(attached) = self.workers.get_mut(&worker) {
            attached.claiming = false;
        }
        self.want_none(worker);
    }

    pub(super) fn retire(&mut self, worker: WorkerId) {
        self.unlist(worker);
        for id in self.running_of(worker) {
            if let Some(row) = self.tasks.get_mut(&id) {
                row.interrupts += 1;
            }
            self.put_back(id, self.now);
        }
        self.workers.remove(&worker);
    }

    pub(super) fn beat(&mut self, worker: WorkerId) -> Beat {
        let Some(attached) = self.workers.get_mut(&worker).filter(|attached| attached.listed) else {
            return Beat::Lapsed;
        };
        attached.beat += 1;
        let rows = attached.running.iter().filter_map(|id| self.tasks.get(id));
        Beat::Alive(rows.filter(|row| row.cancel_requested).map(super::state::Row::claim).collect())
    }

    pub(super) fn peers(&self) -> Vec<Peer> {
        let listed = self.workers.iter().filter(|(_, attached)| attached.listed);
        listed
            .map(|(&id, attached)| Peer {
                id,
                place: attached.place.clone(),
                beat: attached.beat,
                lease: attached.lease,
            })
            .collect()
    }

    pub(super) fn reclaim(&mut self, lapsed: &[Peer]) -> Vec<TaskId> {
        let mut reclaimed = Vec::new();
        for peer in lapsed {
            let dead = self.workers.get(&peer.id).filter(|worker| worker.listed && worker.beat == peer.beat);
            let Some(place) = dead.map(|worker| worker.place.clone()) else { continue };
            self.unlist(peer.id);
            for id in self.running_of(peer.id) {
                let mut run_at = self.now;
                if let Some(row) = self.tasks.get_mut(&id) {
                    row.crashes += 1;
                    run_at = self.now.plus(rules::crash_pause(row.crashes, id));
                    let report = rules::crashed(&self.kinds.get(row.kind).name, id, row.failures, &place);
                    row.attempts.push(AttemptRecord { fence: row.fence, at: self.now, report });
                }
                self.put_back(id, run_at);
                reclaimed.push(id);
            }
        }
        reclaimed
    }

    /// Takes a worker's row: it claims nothing more, and what it knows no longer counts.
    fn unlist(&mut self, worker: WorkerId) {
        let Some(attached) = self.workers.get_mut(&worker).filter(|attached| attached.listed) else { return };
        attached.listed = false;
        for (kind, known) in attached.known.iter().enumerate() {
            self.kinds.knowers[kind] -= u32::from(*known);
        }
        self.want_none(worker);
        // What only this worker knew is parked by the next worker that meets it, which may wait already.
        let queues = self.queues.iter().enumerate();
        self.touched.extend(queues.filter(|(_, queue)| queue.has_ready()).map(|(id, _)| id));
    }

    fn running_of(&self, worker: WorkerId) -> Vec<TaskId> {
        self.workers.get(&worker).map(|attached| attached.running.iter().copied().collect()).unwrap_or_default()
    }

    fn want_none(&mut self, worker: WorkerId) {
        for queue in &mut self.queues {
            queue.want_none(worker);
        }
    }
}
