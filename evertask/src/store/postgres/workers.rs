//! The lives of workers: they begin, give signs of life, end, or are taken for dead.

use std::collections::BTreeMap;

use sqlx::{Row as _, query};
use uuid::Uuid;

use super::batch::Batch;
use super::fault::Outcome;
use super::fleet::Held;
use super::settle::PutBack;
use super::sql;
use super::value::{count, id, optional_id, optional_string, string, text};
use crate::id::{RunId, TaskId, WorkerId};
use crate::store::rules;
use crate::store::{Beat, Claim, Peer, QueueRules, WorkerInfo};

/// A task that a worker had when its life ended.
struct Left {
    claim: Claim,
    held: Held,
    name: String,
    failures: u32,
    crashes: u32,
}

impl Batch<'_> {
    /// A worker's life begins; what was parked and it knows is ready again.
    pub(super) async fn attach(&mut self, info: &WorkerInfo) -> Outcome<()> {
        self.flush().await?;
        if !info.queues.is_empty() {
            // Once each; what is said last holds.
            let said: BTreeMap<&str, QueueRules> =
                info.queues.iter().map(|(name, rules)| (name.as_str(), *rules)).collect();
            self.keep_queues(&said.into_iter().collect::<Vec<_>>(), None, true).await?;
        }
        // Whoever is about to park what this worker knows ends first, or sees it.
        self.link.execute(query(sql::KNOWLEDGE_CHANGES)).await?;
        let knows = serde_json::to_string(&info.knows)?;
        let lease = i64::try_from(info.lease.as_millis()).unwrap_or(i64::MAX);
        let insert = query(sql::INSERT_WORKER).bind(info.id.uuid()).bind(text(&info.place)).bind(lease).bind(knows);
        self.link.execute(insert).await?;
        self.workers_changed();
        self.unpark(info).await
    }

    /// A new worker may be a new program, so what could not be read is tried once more, too.
    async fn unpark(&mut self, info: &WorkerInfo) -> Outcome<()> {
        let mut known: Vec<(TaskId, Option<RunId>)> = Vec::new();
        for row in self.link.all(query(sql::PARKED)).await? {
            let (workflow, step) = (optional_string(&row, 2)?, optional_string(&row, 3)?);
            let step = workflow.as_deref().zip(step.as_deref());
            if info.knows.lacks(&string(&row, 1)?, step).is_none() {
                known.push((id(&row, 0)?, optional_id(&row, 4)?));
            }
        }
        self.lock_runs(known.iter().filter_map(|(_, run)| *run)).await?;
        known.sort_unstable();
        for (task, run) in known {
            self.link.execute(query(sql::UNPARK).bind(task.uuid()).bind(self.now.as_millis())).await?;
            self.hold_task(task, run).await?;
        }
        Ok(())
    }

    /// A worker's life ends; what it still holds is handed back.
    pub(super) async fn retire(&mut self, worker: WorkerId) -> Outcome<()> {
        self.remove(worker);
        self.effects.gone.push(worker);
        self.link.execute(query(sql::DELETE_WORKER).bind(worker.uuid())).await?;
        for left in self.left_by(worker).await? {
            self.put_back(left.claim, left.held, PutBack { interrupts: 1, ..PutBack::default() }).await?;
            self.leave(left.claim.id, left.held);
            self.follow_up().await?;
        }
        Ok(())
    }

    /// A sign of life.
    pub(super) async fn beat(&mut self, worker: WorkerId) -> Outcome<Beat> {
        self.effects.stale = true;
        if self.link.execute(query(sql::BEAT).bind(worker.uuid())).await? == 0 {
            return Ok(Beat::Lapsed);
        }
        Ok(Beat::Alive(self.stops_of(worker).await?))
    }

    /// What the worker is to stop.
    pub(super) async fn stops_of(&mut self, worker: WorkerId) -> Outcome<Vec<Claim>> {
        let rows = self.link.all(query(sql::TO_STOP).bind(worker.uuid())).await?;
        rows.iter().map(|row| Ok(Claim { id: id(row, 0)?, fence: row.try_get(1)? })).collect()
    }

    /// Takes their claims from workers that gave no sign of life since.
    pub(super) async fn reclaim(&mut self, lapsed: &[Peer]) -> Outcome<Vec<TaskId>> {
        let mut reclaimed = Vec::new();
        for peer in lapsed {
            // It waits for what the worker's node is about to claim for it, and what follows sees that.
            let delete = query(sql::DELETE_LAPSED).bind(peer.id.uuid()).bind(peer.beat);
            if self.link.execute(delete).await? > 0 {
                self.take_over(peer, &mut reclaimed).await?;
            }
        }
        Ok(reclaimed)
    }

    /// The worker is dead: each task that it had has one crash more.
    async fn take_over(&mut self, peer: &Peer, reclaimed: &mut Vec<TaskId>) -> Outcome<()> {
        self.remove(peer.id);
        for left in self.left_by(peer.id).await? {
            let report = rules::crashed(&left.name, left.claim.id, left.failures, &peer.place);
            let delay = rules::crash_pause(left.crashes.saturating_add(1), left.claim.id);
            let back = PutBack { crashes: 1, delay, failure: Some(&report), ..PutBack::default() };
            if self.put_back(left.claim, left.held, back).await? {
                reclaimed.push(left.claim.id);
            }
            self.leave(left.claim.id, left.held);
            self.follow_up().await?;
        }
        Ok(())
    }

    fn remove(&mut self, worker: WorkerId) {
        self.workers_changed();
        self.fleet.silence(worker);
    }

    /// What a worker has left, with its runs locked.
    async fn left_by(&mut self, worker: WorkerId) -> Outcome<Vec<Left>> {
        self.flush().await?;
        let mut left = Vec::new();
        for row in self.link.all(query(sql::HELD_BY).bind(worker.uuid())).await? {
            let claim = Claim { id: id(&row, 0)?, fence: row.try_get(1)? };
            let held = Held {
                seq: 0,
                run: optional_id(&row, 2)?,
                group: optional_id::<Uuid>(&row, 5)?,
                undo: row.try_get(6)?,
                slotted: row.try_get(8)?,
                fence: claim.fence,
                worker,
                told: false,
            };
            left.push(Left {
                claim,
                held,
                name: string(&row, 3)?,
                failures: count(&row, 4)?,
                crashes: count(&row, 7)?,
            });
        }
        self.lock_runs(left.iter().filter_map(|left| left.held.run).collect::<Vec<_>>()).await?;
        Ok(left)
    }
}
