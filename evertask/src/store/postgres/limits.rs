//! Limits that tasks share by buckets. They are asked at a claim; whoever must wait for a slot is ready again when
//! one of its bucket no longer runs, or no longer is about to.

use std::collections::BTreeSet;

use sqlx::postgres::PgRow;
use sqlx::{Row as _, query};
use uuid::Uuid;

use super::batch::Batch;
use super::claim::Candidate;
use super::fault::Outcome;
use super::fleet::Held;
use super::insert::POLL;
use super::sql;
use crate::id::{TaskId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::Rate;
use crate::store::rules::rate::{Admission, Line, Turn, admit};

/// How often the rows of buckets are looked for that somebody else makes or forgets meanwhile.
const TRIES: u32 = 5;

/// The limits of a task that could be claimed. Buckets are as they are stored.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) slot: Option<(String, i64)>,
    rate: Option<(String, Rate)>,
}

impl Limits {
    /// From these four columns; most tasks have none.
    pub(super) fn read(row: &PgRow, column: usize) -> Outcome<Option<Box<Self>>> {
        let slot = row.try_get::<Option<String>, _>(column)?.zip(row.try_get::<Option<i32>, _>(column + 1)?);
        let slot = slot.map(|(bucket, most)| (bucket, i64::from(most)));
        let rate = match row.try_get::<Option<String>, _>(column + 2)?.zip(row.try_get::<Option<&str>, _>(column + 3)?)
        {
            Some((bucket, pace)) => Some((bucket, serde_json::from_str(pace)?)),
            None => None,
        };
        Ok((slot.is_some() || rate.is_some()).then(|| Box::new(Self { slot, rate })))
    }

    fn buckets(&self) -> impl Iterator<Item = &String> {
        let slot = self.slot.iter().map(|(bucket, _)| bucket);
        slot.chain(self.rate.iter().map(|(bucket, _)| bucket))
    }
}

/// A bucket whose row this transaction has.
#[derive(Debug)]
pub(super) struct Bucket {
    line: Line,
    changed: bool,
    /// How many of it run, once that was asked.
    running: Option<i64>,
}

/// What became of tasks that were claimed.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    pub(super) starting: Vec<Candidate>,
    /// How many wait now, for a slot or for their time.
    pub(super) waiting: usize,
    /// Whether another node has the bucket of some, which are left for the next transaction.
    pub(super) busy: bool,
}

/// What this transaction has claimed and can't start.
#[derive(Debug, Default)]
struct Back {
    unclaimed: Vec<(Uuid, Option<i64>)>,
    without_slot: Vec<(Uuid, Option<i64>)>,
    put_off: Vec<(Uuid, Turn)>,
}

impl Batch<'_> {
    /// Which of these tasks start, which this transaction has claimed, in order, and no more than fit; the others were
    /// never claimed. A slot is asked for first: no time is reserved by what waits for one.
    pub(super) async fn admit(&mut self, claimed: Vec<Candidate>, worker: WorkerId, most: usize) -> Outcome<Admitted> {
        if claimed.len() <= most && claimed.iter().all(|candidate| candidate.limits.is_none()) {
            return Ok(Admitted { starting: claimed, ..Admitted::default() });
        }
        self.count_slots(&claimed).await?;
        let mut admitted = Admitted::default();
        let mut back = Back::default();
        for candidate in claimed {
            let (id, held) = (candidate.task.claim.id.uuid(), candidate.reserved);
            if admitted.starting.len() == most {
                back.unclaimed.push((id, held));
                continue;
            }
            let Some(limits) = &candidate.limits else {
                admitted.starting.push(candidate);
                continue;
            };
            if !limits.buckets().all(|bucket| self.buckets.contains_key(bucket)) {
                admitted.busy = true;
                back.unclaimed.push((id, held));
            } else if !self.has_slot(limits) {
                back.without_slot.push((id, held));
            } else if let Some(turn) = self.turn_of(limits, &candidate) {
                back.put_off.push((id, turn));
                // It takes no slot: the next that waits for one may.
                self.freed.extend(limits.slot.iter().map(|(bucket, _)| bucket.clone()));
            } else {
                self.starts(limits);
                admitted.starting.push(candidate);
            }
        }
        admitted.waiting = back.without_slot.len() + back.put_off.len();
        self.effects.more |= admitted.busy;
        self.take_back(sql::UNCLAIM, worker, back.unclaimed).await?;
        self.take_back(sql::WAIT_FOR_SLOT, worker, back.without_slot).await?;
        self.put_off(worker, &back.put_off).await?;
        self.give_slots().await?;
        Ok(admitted)
    }

    /// What was claimed was not. Each has the time that its rate gave it, if it did.
    pub(super) async fn take_back(
        &mut self,
        statement: &'static str,
        worker: WorkerId,
        tasks: Vec<(Uuid, Option<i64>)>,
    ) -> Outcome<()> {
        if tasks.is_empty() {
            return Ok(());
        }
        let (ids, times): (Vec<_>, Vec<_>) = tasks.into_iter().unzip();
        self.link.execute(query(statement).bind(ids).bind(worker.uuid()).bind(times)).await?;
        Ok(())
    }

    /// The same for what asks again later. Others may sleep longer than until these times.
    async fn put_off(&mut self, worker: WorkerId, tasks: &[(Uuid, Turn)]) -> Outcome<()> {
        if tasks.is_empty() {
            return Ok(());
        }
        let soon = self.now.as_millis().saturating_add(POLL);
        self.has_put_off = true;
        self.effects.ready += usize::from(tasks.iter().any(|(_, turn)| turn.at.as_millis() < soon));
        let put_off = query(sql::PUT_OFF)
            .bind(tasks.iter().map(|(task, _)| *task).collect::<Vec<_>>())
            .bind(worker.uuid())
            .bind(tasks.iter().map(|(_, turn)| turn.reserved.as_millis()).collect::<Vec<_>>())
            .bind(tasks.iter().map(|(_, turn)| turn.at.as_millis()).collect::<Vec<_>>());
        self.link.execute(put_off).await?;
        Ok(())
    }

    fn has_slot(&self, limits: &Limits) -> bool {
        let Some((bucket, most)) = &limits.slot else { return true };
        self.buckets.get(bucket).and_then(|bucket| bucket.running).is_some_and(|running| running < *most)
    }

    /// When the task asks again that this is about, if it does not start now. What is claimed only for its cancel does
    /// nothing that is limited.
    fn turn_of(&mut self, limits: &Limits, candidate: &Candidate) -> Option<Turn> {
        let (bucket, rate) = limits.rate.as_ref().filter(|_| !candidate.task.cancelled)?;
        let bucket = self.buckets.get_mut(bucket)?;
        let reserved = candidate.reserved.map(Timestamp::from_millis);
        let (turn, left) = match admit(bucket.line, *rate, reserved, self.now) {
            Admission::Starts(left) => (None, left),
            Admission::Waits(turn, left) => (Some(turn), left),
        };
        bucket.changed |= left != bucket.line;
        bucket.line = left;
        turn
    }

    /// A task with limits starts. If there is room beside it, the next that wait are looked at too.
    fn starts(&mut self, limits: &Limits) {
        let Some((name, most)) = &limits.slot else { return };
        let Some(bucket) = self.buckets.get_mut(name) else { return };
        let running = bucket.running.map_or(1, |running| running + 1);
        bucket.running = Some(running);
        if running < *most {
            self.freed.insert(name.clone());
        }
    }

    /// Locks the buckets of these tasks, which are claimed and have not started, and counts what runs beside them.
    async fn count_slots(&mut self, claimed: &[Candidate]) -> Outcome<()> {
        let limits = || claimed.iter().filter_map(|candidate| candidate.limits.as_deref());
        let waits = self.buckets.is_empty();
        self.lock_buckets(limits().flat_map(Limits::buckets).cloned().collect(), waits).await?;
        let is_new = |bucket: &&String| self.buckets.get(*bucket).is_some_and(|bucket| bucket.running.is_none());
        let slots = limits().filter_map(|limits| limits.slot.as_ref().map(|(bucket, _)| bucket));
        let asked: BTreeSet<&String> = slots.filter(is_new).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let names: Vec<&String> = asked.iter().copied().collect();
        let rows = self.link.all(query(sql::SLOTS_TAKEN).bind(names)).await?;
        for (row, name) in rows.iter().zip(asked) {
            let running: i64 = row.try_get(0)?;
            let these =
                limits().filter(|limits| limits.slot.as_ref().is_some_and(|(bucket, _)| bucket == name)).count();
            if let Some(bucket) = self.buckets.get_mut(name) {
                bucket.running = Some(running - i64::try_from(these).unwrap_or(i64::MAX));
            }
        }
        Ok(())
    }

    /// Has the rows of these buckets, one after the other. Where this transaction has others already it does not wait
    /// for more: what is not free is not among those it has then.
    async fn lock_buckets(&mut self, mut names: BTreeSet<String>, waits: bool) -> Outcome<()> {
        let lock = if waits { sql::LOCK_BUCKETS } else { sql::LOCK_FREE_BUCKETS };
        for _ in 0..TRIES {
            names.retain(|name| !self.buckets.contains_key(name));
            if names.is_empty() {
                return Ok(());
            }
            self.have_buckets(lock, &names).await?;
            names.retain(|name| !self.buckets.contains_key(name));
            if names.is_empty() {
                return Ok(());
            }
            self.have_buckets(sql::INSERT_BUCKETS, &names).await?;
            if !waits {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn have_buckets(&mut self, statement: &'static str, names: &BTreeSet<String>) -> Outcome<()> {
        let names: Vec<&String> = names.iter().collect();
        for row in self.link.all(query(statement).bind(names)).await? {
            let line = Line::from_micros(row.try_get(1)?, row.try_get(2)?);
            self.buckets.insert(row.try_get(0)?, Bucket { line, changed: false, running: None });
        }
        Ok(())
    }

    /// A task runs no more.
    pub(super) fn leave(&mut self, task: TaskId, held: Held) {
        if held.slotted {
            self.leaving.push(task.uuid());
        }
        // Where so many may run, another node may start one.
        self.effects.ready += usize::from(self.hints.capped);
    }

    /// Whoever is first of those that wait for a slot that was freed is ready, in each queue.
    pub(super) async fn give_slots(&mut self) -> Outcome<()> {
        if !self.leaving.is_empty() {
            let left = std::mem::take(&mut self.leaving);
            for row in self.link.all(query(sql::SLOTS_OF).bind(left)).await? {
                self.freed.insert(row.try_get(0)?);
            }
        }
        let freed = std::mem::take(&mut self.freed);
        if freed.is_empty() {
            return Ok(());
        }
        self.flush_tasks().await?;
        self.lock_buckets(freed.clone(), true).await?;
        for bucket in self.give_first(freed.into_iter().collect()).await? {
            if self.link.exists(query(sql::STRANDED).bind(&bucket)).await? {
                self.give_first(vec![bucket]).await?;
            }
        }
        Ok(())
    }

    /// Says in which buckets everybody was stepped over.
    async fn give_first(&mut self, freed: Vec<String>) -> Outcome<BTreeSet<String>> {
        let (mut over, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut given = 0;
        for row in self.link.all(query(sql::GIVE_SLOTS).bind(freed).bind(self.now.as_millis())).await? {
            let (bucket, was_over, was_given): (String, bool, bool) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            given += usize::from(was_given);
            if was_over {
                over.insert(bucket)
            } else {
                seen.insert(bucket)
            };
        }
        if given > 0 {
            self.tops.clear();
            self.effects.ready += given;
            self.effects.more = true;
        }
        Ok(&over - &seen)
    }

    /// Pays for what was started, or has its time.
    pub(super) async fn close_buckets(&mut self) -> Outcome<()> {
        let (mut names, mut given, mut started) = (Vec::new(), Vec::new(), Vec::new());
        for (name, bucket) in &mut self.buckets {
            if std::mem::take(&mut bucket.changed) {
                let line = bucket.line.as_micros();
                names.push(name);
                given.push(line.0);
                started.push(line.1);
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        self.link.execute(query(sql::SPEND).bind(names).bind(given).bind(started)).await?;
        Ok(())
    }
}
