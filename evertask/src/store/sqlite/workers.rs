//! The lives of workers: they begin, give signs of life, end, or are taken for dead.

use rusqlite::params;

use super::batch::Batch;
use super::fault::Outcome;
use super::fleet::Held;
use super::settle::PutBack;
use super::sql;
use super::value::{Id, id, optional_id};
use crate::id::{TaskId, WorkerId};
use crate::store::rules;
use crate::store::{Beat, Claim, Peer, QueueChange, WorkerInfo};

/// A task that a worker had when its life ended.
struct Left {
    claim: Claim,
    held: Held,
    name: String,
    failures: u32,
    crashes: u32,
}

impl Batch<'_, '_> {
    /// A worker's life begins; what was parked and it knows is ready again.
    pub(super) fn attach(&mut self, info: &WorkerInfo) -> Outcome<()> {
        let knows = serde_json::to_string(&info.knows)?;
        let lease = i64::try_from(info.lease.as_millis()).unwrap_or(i64::MAX);
        let mut insert = self.conn.prepare_cached(sql::INSERT_WORKER)?;
        insert.execute(params![Id(info.id.uuid()), info.place, lease, knows])?;
        for (name, rules) in &info.queues {
            self.change_queue(name, &QueueChange { rules: Some(*rules), ..QueueChange::default() })?;
        }
        self.workers_changed();
        self.unpark(info)
    }

    /// A new worker may be a new program, so what could not be read is tried once more, too.
    fn unpark(&mut self, info: &WorkerInfo) -> Outcome<()> {
        let mut known = Vec::new();
        let mut find = self.conn.prepare_cached(sql::PARKED)?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let text = |column| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
            let step = text(2)?.zip(text(3)?);
            if info.knows.lacks(text(1)?.unwrap_or_default(), step).is_none() {
                known.push(row.get::<_, i64>(0)?);
            }
        }
        drop(rows);
        let mut unpark = self.conn.prepare_cached(sql::UNPARK)?;
        for seq in known {
            unpark.execute(params![seq, self.now.as_millis()])?;
            self.hold_task(seq)?;
        }
        Ok(())
    }

    /// A worker's life ends; what it still holds is handed back.
    pub(super) fn retire(&mut self, worker: WorkerId) -> Outcome<()> {
        self.remove(worker);
        self.effects.gone.push(worker);
        self.conn.prepare_cached(sql::DELETE_WORKER)?.execute([Id(worker.uuid())])?;
        for left in self.left_by(worker)? {
            self.put_back(left.claim, left.held, PutBack { interrupts: 1, ..PutBack::default() })?;
            if left.held.slotted {
                self.leave_slot(left.held.seq)?;
            }
        }
        Ok(())
    }

    /// A sign of life.
    pub(super) fn beat(&mut self, worker: WorkerId) -> Outcome<Beat> {
        if self.conn.prepare_cached(sql::BEAT)?.execute([Id(worker.uuid())])? == 0 {
            return Ok(Beat::Lapsed);
        }
        Ok(Beat::Alive(self.to_stop(worker)?))
    }

    /// What the worker is to stop.
    pub(super) fn to_stop(&self, worker: WorkerId) -> Outcome<Vec<Claim>> {
        let mut find = self.conn.prepare_cached(sql::TO_STOP)?;
        let claims = find.query_map([Id(worker.uuid())], |row| Ok(Claim { id: id(row, 0)?, fence: row.get(1)? }))?;
        Ok(claims.collect::<Result<_, _>>()?)
    }

    /// Takes their claims from workers that gave no sign of life since.
    pub(super) fn reclaim(&mut self, lapsed: &[Peer]) -> Outcome<Vec<TaskId>> {
        let mut reclaimed = Vec::new();
        for peer in lapsed {
            let mut delete = self.conn.prepare_cached(sql::DELETE_LAPSED)?;
            if delete.execute(params![Id(peer.id.uuid()), peer.beat])? > 0 {
                self.take_over(peer, &mut reclaimed)?;
            }
        }
        Ok(reclaimed)
    }

    /// The worker is dead: each task that it had has one crash more.
    fn take_over(&mut self, peer: &Peer, reclaimed: &mut Vec<TaskId>) -> Outcome<()> {
        self.remove(peer.id);
        for left in self.left_by(peer.id)? {
            let report = rules::crashed(&left.name, left.claim.id, left.failures, &peer.place);
            let delay = rules::crash_pause(left.crashes.saturating_add(1), left.claim.id);
            let back = PutBack { crashes: 1, delay, failure: Some(&report), ..PutBack::default() };
            if self.put_back(left.claim, left.held, back)? {
                reclaimed.push(left.claim.id);
            }
            if left.held.slotted {
                self.leave_slot(left.held.seq)?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, worker: WorkerId) {
        self.workers_changed();
        self.fleet.silence(worker);
    }

    fn left_by(&self, worker: WorkerId) -> Outcome<Vec<Left>> {
        let mut find = self.conn.prepare_cached(sql::HELD_BY)?;
        let left = find.query_map([Id(worker.uuid())], |row| {
            let claim = Claim { id: id(row, 1)?, fence: row.get(2)? };
            let held = Held {
                seq: row.get(0)?,
                run: optional_id(row, 3)?,
                group: optional_id(row, 6)?,
                undo: row.get(7)?,
                slotted: row.get(8)?,
                fence: claim.fence,
                worker,
                told: false,
            };
            Ok(Left { claim, held, name: row.get(4)?, failures: row.get(5)?, crashes: row.get(9)? })
        })?;
        Ok(left.collect::<Result<_, _>>()?)
    }

    /// This process is the only one with workers, and has none yet: whoever is listed is dead.
    pub(super) fn adopt(&mut self) -> Outcome<Vec<TaskId>> {
        let mut find = self.conn.prepare_cached(sql::WORKERS)?;
        let peers = find.query_map([], super::read::peer)?.collect::<Result<Vec<Peer>, _>>()?;
        drop(find);
        let reclaimed = self.reclaim(&peers)?;
        self.follow_up()?;
        Ok(reclaimed)
    }
}
