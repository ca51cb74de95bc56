//! Serving free slots, at the end of the transaction that may have made something to claim.

use rusqlite::{OptionalExtension, Row, params};

use super::batch::Batch;
use super::fault::Outcome;
use super::fleet::{Held, Wanting};
use super::limits::Limits;
use super::value::{Id, got, id, optional_id};
use super::{limits, sql};
use crate::id::WorkerId;
use crate::schedule::Timestamp;
use crate::store::rules;
use crate::store::{Claim, Claimed, Known, ParkReason, StepOf};

/// The most tasks that one transaction marks as due.
const MOST_PROMOTED: u32 = 10_000;

/// The most tasks that one transaction puts aside or parks for one worker.
const MOST_ASIDE: usize = 1_000;

/// A task that could be claimed.
struct Candidate {
    seq: i64,
    rank: i64,
    group: Option<uuid::Uuid>,
    undo: bool,
    /// In a box: most have none.
    limits: Option<Box<Limits>>,
    task: Claimed,
}

impl Batch<'_, '_> {
    /// Fills free slots.
    pub(super) fn serve(&mut self) -> Outcome<()> {
        if !self.fleet.wants() {
            return Ok(());
        }
        self.promote()?;
        for wanting in self.fleet.wanting() {
            if !self.is_listed(wanting.worker)? {
                self.fleet.silence(wanting.worker);
                continue;
            }
            let slots = self.room(&wanting.queue, wanting.slots)?;
            if slots > 0 {
                self.fill(Wanting { slots, ..wanting })?;
            } else if let Some(next) = self.next_start(&wanting.queue)? {
                self.wake_at(next);
            }
        }
        if let Some(next) = self.next_due()? {
            self.wake_at(next);
        }
        Ok(())
    }

    /// There will be something to claim then.
    fn wake_at(&mut self, time: Timestamp) {
        self.effects.next_due = Some(self.effects.next_due.map_or(time, |next| next.min(time)));
    }

    /// Fills the free slots of one worker in one queue. What has limits of its own may have to wait; then what comes
    /// after it is looked at.
    fn fill(&mut self, mut wanting: Wanting) -> Outcome<()> {
        let mut put_off = 0;
        loop {
            let mut found = self.candidates(&wanting)?;
            if self.apart == Some(true) {
                self.candidates_apart(&wanting, &mut found)?;
            }
            let before = put_off;
            for candidate in found {
                if let Some(limits) = &candidate.limits
                    && !self.admits(candidate.seq, limits, candidate.task.cancelled)?
                {
                    put_off += 1;
                    continue;
                }
                self.claim(&wanting, candidate)?;
                wanting.slots -= 1;
            }
            if put_off >= MOST_ASIDE {
                self.effects.more = true;
            }
            if put_off == before || wanting.slots == 0 || put_off >= MOST_ASIDE {
                break;
            }
        }
        // Its rate may be all that holds the rest.
        if let Some(next) = self.next_start(&wanting.queue)? {
            self.wake_at(next);
        }
        Ok(())
    }

    /// Marks what has become due, once in a transaction, and says whether anything was put aside.
    pub(super) fn promote(&mut self) -> Outcome<bool> {
        if let Some(apart) = self.apart {
            return Ok(apart);
        }
        if self.next_due()?.is_some_and(|next| next <= self.now) {
            let mut promote = self.conn.prepare_cached(sql::PROMOTE)?;
            let promoted = promote.execute(params![self.now.as_millis(), MOST_PROMOTED])?;
            self.effects.more |= promoted >= MOST_PROMOTED as usize;
        }
        let apart = self.conn.prepare_cached(sql::ANY_APART)?.exists([])?;
        self.apart = Some(apart);
        Ok(apart)
    }

    fn next_due(&self) -> Outcome<Option<Timestamp>> {
        let mut next = self.conn.prepare_cached(sql::NEXT_DUE)?;
        Ok(next.query_row([], |row| row.get(0)).optional()?.map(Timestamp::from_millis))
    }

    /// Whether the worker's row is there: one that was taken for dead must not claim.
    pub(super) fn is_listed(&mut self, worker: WorkerId) -> Outcome<bool> {
        if let Some(&listed) = self.listed.get(&worker) {
            return Ok(listed);
        }
        let listed = self.conn.prepare_cached(sql::LISTED)?.exists([Id(worker.uuid())])?;
        self.listed.insert(worker, listed);
        Ok(listed)
    }

    /// What this worker can claim, in order. What it does not know is put aside or parked on the way.
    fn candidates(&mut self, wanting: &Wanting) -> Outcome<Vec<Candidate>> {
        let slots = wanting.slots as usize;
        let mut aside = 0;
        loop {
            let mut found = Vec::with_capacity(slots.min(64));
            let mut unknown = Vec::new();
            let Some(attached) = self.fleet.get(wanting.worker) else { return Ok(found) };
            let mut rows = self.hot.claimable.query(params![wanting.queue, wanting.slots])?;
            while let Some(row) = rows.next()? {
                let candidate = candidate(row, &wanting.queue)?;
                match lacks(&attached.knows, &candidate.task) {
                    None => found.push(candidate),
                    Some(reason) => unknown.push((reason, candidate)),
                }
            }
            drop(rows);
            if unknown.is_empty() {
                return Ok(found);
            }
            aside += unknown.len();
            for (reason, candidate) in unknown {
                self.set_aside(reason, &candidate)?;
            }
            if aside >= MOST_ASIDE {
                self.effects.more = true;
                return Ok(found);
            }
        }
    }

    /// Another worker that is listed may know it; if none does, it is parked.
    fn set_aside(&mut self, reason: ParkReason, candidate: &Candidate) -> Outcome<()> {
        if self.somebody_knows(&candidate.task)? {
            self.conn.prepare_cached(sql::PUT_APART)?.execute([candidate.seq])?;
            // A worker of this process that was served before may be the one that knows it.
            self.apart = Some(true);
            self.effects.more = true;
        } else {
            let detail = detail(reason, &candidate.task);
            self.conn.prepare_cached(sql::PARK_UNKNOWN)?.execute(params![candidate.seq, reason.as_str(), detail])?;
            if candidate.limits.is_some() {
                self.leave_slot(candidate.seq)?;
            }
        }
        Ok(())
    }

    fn somebody_knows(&mut self, task: &Claimed) -> Outcome<bool> {
        if self.knowledge.is_none() {
            self.knowledge = Some(self.read_knowledge()?);
        }
        Ok(self.knowledge.iter().flatten().any(|knows| lacks(knows, task).is_none()))
    }

    fn read_knowledge(&self) -> Outcome<Vec<Known>> {
        let mut knowledge = self.conn.prepare_cached(sql::KNOWLEDGE)?;
        let mut rows = knowledge.query([])?;
        let mut known = Vec::new();
        while let Some(row) = rows.next()? {
            known.push(serde_json::from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
        }
        Ok(known)
    }

    /// Adds what was put aside and this worker knows, in order; each kind costs one seek, however many there are.
    fn candidates_apart(&mut self, wanting: &Wanting, found: &mut Vec<Candidate>) -> Outcome<()> {
        let mut kind = String::new();
        while let Some((next, sample)) = self.next_apart(&wanting.queue, &kind)? {
            kind = next;
            let Some(attached) = self.fleet.get(wanting.worker) else { return Ok(()) };
            let Some(reason) = lacks(&attached.knows, &sample) else {
                let mut claimable = self.conn.prepare_cached(sql::CLAIMABLE_APART)?;
                let mut rows = claimable.query(params![wanting.queue, kind, wanting.slots])?;
                while let Some(row) = rows.next()? {
                    found.push(candidate(row, &wanting.queue)?);
                }
                continue;
            };
            if !self.somebody_knows(&sample)? {
                let mut park = self.conn.prepare_cached(sql::PARK_APART)?;
                park.execute(params![wanting.queue, kind, reason.as_str(), detail(reason, &sample)])?;
            }
        }
        found.sort_by_key(|candidate| (candidate.rank, candidate.seq));
        found.truncate(wanting.slots as usize);
        Ok(())
    }

    /// The next kind of what was put aside in the queue, and a task that stands for it.
    fn next_apart(&self, queue: &str, after: &str) -> Outcome<Option<(String, Claimed)>> {
        let mut next = self.conn.prepare_cached(sql::NEXT_APART)?;
        let found = next.query_row(params![queue, after], |row| {
            let (workflow, step): (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
            let of = workflow.map(|workflow| StepOf {
                run: uuid::Uuid::nil().into(),
                workflow: workflow.into(),
                step: step.map(Into::into),
            });
            let sample = Claimed {
                deadline: None,
                own: None,
                claim: Claim { id: uuid::Uuid::nil().into(), fence: 0 },
                name: row.get(1)?,
                queue: queue.to_owned(),
                payload: Vec::new(),
                failures: 0,
                crashes: 0,
                correlation: None,
                of,
                cancelled: false,
                got: None,
            };
            Ok((row.get(0)?, sample))
        });
        Ok(found.optional()?)
    }

    fn claim(&mut self, wanting: &Wanting, candidate: Candidate) -> Outcome<()> {
        let values = params![candidate.seq, Id(wanting.worker.uuid())];
        match &candidate.limits {
            None => self.hot.claim.execute(values)?,
            Some(limits) => {
                let claimed = self.conn.prepare_cached(sql::CLAIM_LIMITED)?.execute(values)?;
                self.started(limits)?;
                claimed
            }
        };
        self.start_of(&wanting.queue)?;
        self.fleet.take(wanting.worker, &wanting.queue);
        let held = Held {
            seq: candidate.seq,
            run: candidate.task.of.as_ref().map(|of| of.run),
            group: candidate.group,
            undo: candidate.undo,
            slotted: candidate.limits.as_ref().is_some_and(|limits| limits.slot.is_some()),
            fence: candidate.task.claim.fence,
            worker: wanting.worker,
            told: candidate.task.cancelled,
        };
        self.effects.claims.push((wanting.worker, held, candidate.task));
        Ok(())
    }
}

/// The row, as it will be claimed.
fn candidate(row: &Row<'_>, queue: &str) -> Outcome<Candidate> {
    let of = match optional_id(row, 8)? {
        Some(run) => Some(StepOf {
            run,
            workflow: row.get::<_, String>(9)?.into(),
            step: row.get::<_, Option<String>>(10)?.map(Into::into),
        }),
        None => None,
    };
    Ok(Candidate {
        seq: row.get(0)?,
        rank: row.get(12)?,
        group: optional_id(row, 13)?,
        undo: row.get(14)?,
        limits: limits_of(row)?,
        task: Claimed {
            deadline: row.get::<_, Option<i64>>(16)?.map(Timestamp::from_millis),
            own: row.get(17)?,
            claim: Claim { id: id(row, 1)?, fence: row.get::<_, i64>(4)? + 1 },
            name: row.get(2)?,
            queue: queue.to_owned(),
            payload: row.get(3)?,
            failures: row.get(5)?,
            crashes: row.get(6)?,
            correlation: row.get(7)?,
            of,
            cancelled: row.get(11)?,
            got: got(row, 15)?,
        },
    })
}

fn limits_of(row: &Row<'_>) -> Outcome<Option<Box<Limits>>> {
    let slot: Option<String> = row.get(18)?;
    let rate = row.get_ref(20)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    if slot.is_none() && rate.is_none() {
        return Ok(None);
    }
    let slot = match slot {
        Some(bucket) => Some((bucket, row.get(19)?)),
        None => None,
    };
    let reserved = row.get::<_, Option<i64>>(21)?.map(Timestamp::from_millis);
    Ok(Some(Box::new(Limits { slot, rate: rate.map(limits::decode).transpose()?, reserved })))
}

fn lacks(knows: &Known, task: &Claimed) -> Option<ParkReason> {
    knows.lacks(&task.name, step_of(task))
}

/// What nobody knows, in words.
fn detail(reason: ParkReason, task: &Claimed) -> String {
    rules::park_detail(reason, &task.name, step_of(task))
}

fn step_of(task: &Claimed) -> Option<(&str, &str)> {
    task.of.as_ref().and_then(|of| Some((of.workflow.as_ref(), of.step.as_deref()?)))
}
