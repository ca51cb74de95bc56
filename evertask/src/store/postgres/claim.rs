//! Serving free slots, at the end of the transaction that may have made something to claim.

use std::collections::{BTreeSet, HashSet};

use sqlx::postgres::PgRow;
use sqlx::{Row as _, query};

use super::batch::{Batch, Survey};
use super::fault::Outcome;
use super::fleet::{Held, Wanting};
use super::limits::Limits;
use super::queues::said;
use super::sql;
use super::value::{count, got, id, optional_id, optional_string, string, text};
use crate::id::{RunId, TaskId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::rules;
use crate::store::{Claim, Claimed, Known, ParkReason, RunState, StepOf};

/// The most tasks that one transaction marks as due.
const MOST_PROMOTED: i64 = 10_000;

/// The most tasks that one transaction puts aside or parks for one worker.
const MOST_ASIDE: usize = 1_000;

/// How many tasks are claimed at least when some before them had to wait.
const MOST_WAITING: usize = 100;

/// A task that could be claimed.
#[derive(Debug)]
pub(super) struct Candidate {
    seq: i64,
    rank: i64,
    group: Option<uuid::Uuid>,
    undo: bool,
    /// In a box: most have none.
    pub(super) limits: Option<Box<Limits>>,
    /// The time that its rate has given it.
    pub(super) reserved: Option<i64>,
    pub(super) task: Claimed,
}

impl Batch<'_> {
    /// Fills free slots.
    pub(super) async fn serve(&mut self) -> Outcome<()> {
        if !self.fleet.wants() {
            return Ok(());
        }
        self.flush().await?;
        let looked_before = self.survey.is_some();
        let mut apart = self.promote().await?;
        let wanting = self.fleet.wanting();
        self.open_queues(&wanting).await?;
        self.give_slots().await?;
        for wanting in wanting {
            if !self.is_listed(wanting.worker) {
                self.fleet.silence(wanting.worker);
                continue;
            }
            let slots = self.room(&wanting.queue, wanting.slots);
            let found = self.fill(Wanting { slots, ..wanting }, &mut apart).await?;
            self.effects.ready = self.effects.ready.saturating_sub(found);
        }
        self.give_slots().await?;
        self.close_buckets().await?;
        let next_start = self.close_queues().await?;
        let next_due = match &self.survey {
            Some(survey) if !looked_before && !self.has_put_off && survey.next_due.is_none_or(|due| due > self.now) => {
                survey.next_due
            }
            _ => self.next_due().await?,
        };
        self.effects.next_due = next_due.into_iter().chain(next_start).min();
        Ok(())
    }

    /// Fills the free slots of one worker in one queue, and says how many. What has limits of its own may have to wait;
    /// then what comes after it is looked at.
    async fn fill(&mut self, wanting: Wanting, apart: &mut bool) -> Outcome<usize> {
        let slots = wanting.slots as usize;
        let mut found = self.claim_handed(&wanting).await?;
        let mut put_off = 0;
        while found.len() < slots {
            let left = slots - found.len();
            // Of many that wait, one after the other would be a statement for each.
            let most = if put_off == 0 { left } else { left.max(MOST_WAITING) };
            let claimed = if *apart {
                self.claim_in_order(&wanting, most).await?
            } else {
                let (claimed, put_apart) = self.claim_next(&wanting, most).await?;
                // A worker of this process that is served later may be the one that knows it.
                *apart |= put_apart;
                claimed
            };
            let is_last = claimed.len() < most;
            let admitted = self.admit(claimed, wanting.worker, left).await?;
            found.extend(admitted.starting);
            put_off += admitted.waiting;
            if admitted.waiting == 0 || admitted.busy || is_last {
                break;
            }
            if put_off >= MOST_ASIDE {
                self.effects.more = true;
                break;
            }
        }
        let started = found.len();
        self.start_of(&wanting.queue, started);
        for candidate in found {
            self.claimed(&wanting, candidate);
        }
        Ok(started)
    }

    /// What follows what this worker has ended goes first in a queue that limits how many start.
    async fn claim_handed(&mut self, wanting: &Wanting) -> Outcome<Vec<Candidate>> {
        let mine = |(worker, queue, _): &mut (WorkerId, String, uuid::Uuid)| {
            *worker == wanting.worker && *queue == wanting.queue
        };
        let mut ids: Vec<uuid::Uuid> = self.handed.extract_if(.., mine).map(|(.., id)| id).collect();
        ids.truncate(wanting.slots as usize);
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let claim = query(sql::CLAIM_THESE).bind(ids).bind(wanting.worker.uuid());
        let rows = self.link.all(claim).await?;
        let mut found = rows.iter().map(|row| candidate(row, &wanting.queue)).collect::<Outcome<Vec<_>>>()?;
        found.sort_by_key(|candidate| candidate.seq);
        Ok(found)
    }

    /// Marks what has become due, once in a transaction, and says whether anything was put aside.
    pub(super) async fn promote(&mut self) -> Outcome<bool> {
        if let Some(survey) = &self.survey {
            return Ok(survey.apart);
        }
        self.flush().await?;
        let workers: Vec<uuid::Uuid> = self.fleet.ids().into_iter().map(WorkerId::uuid).collect();
        let names: BTreeSet<String> = self.fleet.wanting().into_iter().map(|wanting| wanting.queue).collect();
        let names: Vec<_> = names.iter().map(|name| text(name)).collect();
        let row = self.link.one(query(sql::SURVEY).bind(workers).bind(names)).await?;
        let next_due = row.try_get::<Option<i64>, _>(0)?.map(Timestamp::from_millis);
        let listed = row.try_get::<Vec<uuid::Uuid>, _>(2)?.into_iter().map(WorkerId::from).collect();
        let apart = row.try_get(1)?;
        let queues = said(&row, 3)?;
        self.hints.capped |= queues.values().any(|queue| queue.rules.concurrency.is_some());
        self.survey = Some(Survey { next_due, apart, listed, queues });
        if next_due.is_some_and(|next| next <= self.now) {
            let promote = query(sql::PROMOTE).bind(self.now.as_millis()).bind(MOST_PROMOTED);
            let promoted = self.link.execute(promote).await?;
            self.effects.more |= promoted >= MOST_PROMOTED.cast_unsigned();
            self.effects.ready += usize::try_from(promoted).unwrap_or(usize::MAX);
            self.give_nothing().await?;
            self.tops.clear();
        }
        Ok(apart)
    }

    /// Of what waits for a signal, the time is up: it goes on without one, unless its run is held.
    async fn give_nothing(&mut self) -> Outcome<()> {
        let find = query(sql::UNSIGNALLED).bind(self.now.as_millis()).bind(MOST_PROMOTED);
        let mut waiting: Vec<(TaskId, Option<RunId>)> = Vec::new();
        for row in self.link.all(find).await? {
            waiting.push((id(&row, 0)?, optional_id(&row, 1)?));
        }
        self.lock_runs(waiting.iter().filter_map(|(_, run)| *run)).await?;
        for (task, run) in waiting {
            let held = self.state_of(run).await? == Some(RunState::Paused);
            self.link.execute(query(sql::GIVE_NOTHING).bind(task.uuid()).bind(held)).await?;
            self.effects.ready += 1;
        }
        Ok(())
    }

    async fn next_due(&mut self) -> Outcome<Option<Timestamp>> {
        let row = self.link.first(query(sql::NEXT_DUE)).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.map(Timestamp::from_millis))
    }

    /// Whether the worker's row was there: one that was taken for dead must not claim.
    pub(super) fn is_listed(&self, worker: WorkerId) -> bool {
        self.survey.as_ref().is_some_and(|survey| survey.listed.contains(&worker))
    }

    /// Claims what comes next and this worker knows. What it does not know is put aside or parked on the way; says
    /// whether anything was put aside.
    async fn claim_next(&mut self, wanting: &Wanting, slots: usize) -> Outcome<(Vec<Candidate>, bool)> {
        let (mut found, mut aside, mut put_apart) = (Vec::new(), 0, false);
        while found.len() < slots {
            let Some(knows) = self.knows(wanting.worker) else { break };
            let left = i64::try_from(slots - found.len()).unwrap_or(i64::MAX);
            let claim = query(sql::CLAIM_NEXT).bind(text(&wanting.queue)).bind(left).bind(wanting.worker.uuid());
            let rows = self.link.all(claim).await?;
            let Sorted { mut mine, unknown } = sort(&rows, &wanting.queue, &knows)?;
            found.append(&mut mine);
            if unknown.is_empty() {
                break;
            }
            let back = unknown.iter().map(|(_, candidate)| (candidate.task.claim.id.uuid(), candidate.reserved));
            self.take_back(sql::UNCLAIM, wanting.worker, back.collect()).await?;
            aside += unknown.len();
            put_apart |= self.set_aside(unknown).await?;
            if aside >= MOST_ASIDE {
                self.effects.more = true;
                break;
            }
        }
        Ok((found, put_apart))
    }

    /// Claims what comes next, where some of it was put aside: both are put in order first.
    async fn claim_in_order(&mut self, wanting: &Wanting, slots: usize) -> Outcome<Vec<Candidate>> {
        let mut found = self.candidates(wanting, slots).await?;
        self.candidates_apart(wanting, slots, &mut found).await?;
        let ids: Vec<uuid::Uuid> = found.iter().map(|candidate| candidate.task.claim.id.uuid()).collect();
        if !ids.is_empty() {
            self.link.execute(query(sql::CLAIM).bind(ids).bind(wanting.worker.uuid())).await?;
        }
        for candidate in &mut found {
            candidate.task.claim.fence += 1;
        }
        Ok(found)
    }

    /// What this worker can claim, in order.
    async fn candidates(&mut self, wanting: &Wanting, slots: usize) -> Outcome<Vec<Candidate>> {
        let mut aside = 0;
        let slots = i64::try_from(slots).unwrap_or(i64::MAX);
        loop {
            let Some(knows) = self.knows(wanting.worker) else { return Ok(Vec::new()) };
            let find = query(sql::CLAIMABLE).bind(text(&wanting.queue)).bind(slots);
            let rows = self.link.all(find).await?;
            let Sorted { mine, unknown } = sort(&rows, &wanting.queue, &knows)?;
            if unknown.is_empty() {
                return Ok(mine);
            }
            aside += unknown.len();
            self.set_aside(unknown).await?;
            if aside >= MOST_ASIDE {
                self.effects.more = true;
                return Ok(mine);
            }
        }
    }

    fn knows(&self, worker: WorkerId) -> Option<Known> {
        self.fleet.get(worker).map(|attached| attached.knows.clone())
    }

    /// Another worker that is listed may know it; if none does, it is parked. Says whether anything was put aside.
    async fn set_aside(&mut self, unknown: Vec<(ParkReason, Candidate)>) -> Outcome<bool> {
        let mut apart = Vec::new();
        for (reason, candidate) in unknown {
            let task = candidate.task.claim.id.uuid();
            if self.somebody_knows(&candidate.task).await? {
                apart.push(task);
                continue;
            }
            let detail = detail(reason, &candidate.task);
            let park = query(sql::PARK_UNKNOWN).bind(task).bind(reason.as_str()).bind(text(&detail));
            self.link.execute(park).await?;
            let slot = candidate.limits.and_then(|limits| limits.slot);
            self.freed.extend(slot.map(|(bucket, _)| bucket));
        }
        if apart.is_empty() {
            return Ok(false);
        }
        self.effects.more = true;
        // Those who know it may be elsewhere.
        self.effects.ready += apart.len();
        self.link.execute(query(sql::PUT_APART).bind(apart)).await?;
        Ok(true)
    }

    async fn somebody_knows(&mut self, task: &Claimed) -> Outcome<bool> {
        if self.knowledge.is_none() {
            // Whoever attaches from here on waits for this transaction, and sees what it has parked.
            self.link.execute(query(sql::KNOWLEDGE_STAYS)).await?;
            let mut known = Vec::new();
            for row in self.link.all(query(sql::KNOWLEDGE)).await? {
                known.push(serde_json::from_str(row.try_get(0)?)?);
            }
            self.knowledge = Some(known);
        }
        Ok(self.knowledge.iter().flatten().any(|knows| lacks(knows, task).is_none()))
    }

    /// Adds what was put aside and this worker knows, in order; each kind costs one seek, however many there are.
    async fn candidates_apart(&mut self, wanting: &Wanting, slots: usize, found: &mut Vec<Candidate>) -> Outcome<()> {
        let most = i64::try_from(slots).unwrap_or(i64::MAX);
        let queue = text(&wanting.queue);
        let mut kind = String::new();
        while let Some((next, sample)) = self.next_apart(&wanting.queue, &kind).await? {
            kind = next;
            let Some(knows) = self.knows(wanting.worker) else { return Ok(()) };
            let Some(reason) = lacks(&knows, &sample) else {
                let find = query(sql::CLAIMABLE_APART).bind(&queue).bind(&kind).bind(most);
                for row in self.link.all(find).await? {
                    found.push(candidate(&row, &wanting.queue)?);
                }
                continue;
            };
            if !self.somebody_knows(&sample).await? {
                let detail = detail(reason, &sample);
                let park = query(sql::PARK_APART).bind(&queue).bind(&kind).bind(reason.as_str()).bind(text(&detail));
                for row in self.link.all(park).await? {
                    self.freed.extend(row.try_get::<Option<String>, _>(0)?);
                }
            }
        }
        found.sort_by_key(|candidate| (candidate.rank, candidate.seq));
        found.truncate(slots);
        Ok(())
    }

    /// The next kind of what was put aside in the queue, as it is stored, and a task that stands for it.
    async fn next_apart(&mut self, queue: &str, after: &str) -> Outcome<Option<(String, Claimed)>> {
        let find = query(sql::NEXT_APART).bind(text(queue)).bind(after);
        let Some(row) = self.link.first(find).await? else { return Ok(None) };
        let (workflow, step) = (optional_string(&row, 2)?, optional_string(&row, 3)?);
        let of = workflow.map(|workflow| StepOf {
            run: uuid::Uuid::nil().into(),
            workflow: workflow.into(),
            step: step.map(Into::into),
        });
        let sample = Claimed {
            claim: Claim { id: uuid::Uuid::nil().into(), fence: 0 },
            name: string(&row, 1)?,
            queue: queue.to_owned(),
            payload: Vec::new(),
            failures: 0,
            crashes: 0,
            correlation: None,
            of,
            cancelled: false,
            got: None,
            deadline: None,
            own: None,
        };
        Ok(Some((row.try_get(0)?, sample)))
    }

    fn claimed(&mut self, wanting: &Wanting, candidate: Candidate) {
        self.fleet.take(wanting.worker, &wanting.queue);
        let held = Held {
            seq: 0,
            run: candidate.task.of.as_ref().map(|of| of.run),
            group: candidate.group,
            undo: candidate.undo,
            slotted: candidate.limits.is_some_and(|limits| limits.slot.is_some()),
            fence: candidate.task.claim.fence,
            worker: wanting.worker,
            told: candidate.task.cancelled,
        };
        self.effects.claims.push((wanting.worker, held, candidate.task));
    }

    /// What is remembered, or stored, of these claims. Whether they still hold is for the guards to say.
    pub(super) async fn remember(&mut self, claims: impl Iterator<Item = Claim>) -> Outcome<()> {
        let mut asked: HashSet<Claim> = HashSet::new();
        for claim in claims {
            match self.fleet.held(claim) {
                Some(held) => drop(self.held.insert(claim, held)),
                None => drop(asked.insert(claim)),
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let ids: Vec<uuid::Uuid> = asked.iter().map(|claim| claim.id.uuid()).collect();
        let fences: Vec<i64> = asked.iter().map(|claim| claim.fence).collect();
        for row in self.link.all(query(sql::HELD).bind(ids).bind(fences)).await? {
            let claim = Claim { id: id(&row, 0)?, fence: row.try_get(1)? };
            let held = Held {
                seq: 0,
                run: optional_id(&row, 2)?,
                group: optional_id(&row, 3)?,
                undo: row.try_get(4)?,
                slotted: row.try_get(5)?,
                fence: claim.fence,
                worker: uuid::Uuid::nil().into(),
                told: false,
            };
            self.held.insert(claim, held);
        }
        Ok(())
    }
}

/// What a worker knows, in order, and what it does not.
struct Sorted {
    mine: Vec<Candidate>,
    unknown: Vec<(ParkReason, Candidate)>,
}

fn sort(rows: &[PgRow], queue: &str, knows: &Known) -> Outcome<Sorted> {
    let mut candidates = rows.iter().map(|row| candidate(row, queue)).collect::<Outcome<Vec<_>>>()?;
    candidates.sort_by_key(|candidate| (candidate.rank, candidate.seq));
    let (mut mine, mut unknown) = (Vec::with_capacity(candidates.len()), Vec::new());
    for candidate in candidates {
        match lacks(knows, &candidate.task) {
            None => mine.push(candidate),
            Some(reason) => unknown.push((reason, candidate)),
        }
    }
    Ok(Sorted { mine, unknown })
}

fn candidate(row: &PgRow, queue: &str) -> Outcome<Candidate> {
    let of = match optional_id(row, 7)? {
        Some(run) => {
            Some(StepOf { run, workflow: string(row, 8)?.into(), step: optional_string(row, 9)?.map(Into::into) })
        }
        None => None,
    };
    Ok(Candidate {
        rank: row.try_get(11)?,
        seq: row.try_get(12)?,
        group: optional_id(row, 13)?,
        undo: row.try_get(14)?,
        limits: Limits::read(row, 18)?,
        reserved: row.try_get(22)?,
        task: Claimed {
            claim: Claim { id: id(row, 0)?, fence: row.try_get(3)? },
            name: string(row, 1)?,
            queue: queue.to_owned(),
            payload: row.try_get(2)?,
            failures: count(row, 4)?,
            crashes: count(row, 5)?,
            correlation: optional_string(row, 6)?,
            of,
            cancelled: row.try_get(10)?,
            deadline: super::value::time(row, 16)?,
            own: row.try_get(17)?,
            got: got(row, 15)?,
        },
    })
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
