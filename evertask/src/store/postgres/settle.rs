//! Ending attempts: one path for all verdicts, guarded by the fence and by nothing that has to do with time.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::{Row as _, query};

use super::batch::Batch;
use super::fault::Outcome;
use super::fleet::Held;
use super::request::Request;
use super::run::Ended;
use super::sql;
use super::value::{encode, id, text};
use crate::failure::FailureReport;
use crate::id::{TaskId, WorkerId};
use crate::store::rules;
use crate::store::rules::revival::is_followed;
use crate::store::{Claim, Finished, Follow, Notes, Settled, TaskState, Verdict};

/// Why a running task is ready again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PutBack<'r> {
    pub(super) failures: u32,
    pub(super) crashes: u32,
    pub(super) interrupts: u32,
    pub(super) delay: Duration,
    pub(super) failure: Option<&'r FailureReport>,
}

impl Batch<'_> {
    /// Locks the runs of the attempts that these requests end, and ends those that have succeeded: all at once,
    /// whatever their number.
    pub(super) async fn hold_ends_of(&mut self, requests: &[Request]) -> Outcome<()> {
        let mut finished: Vec<&Finished> = Vec::new();
        for request in requests {
            if let Request::Settle(settle) = request {
                finished.extend(&settle.finished);
            }
        }
        if finished.is_empty() {
            return Ok(());
        }
        self.remember(finished.iter().map(|finished| finished.claim)).await?;
        let runs: Vec<_> = self.held.values().filter_map(|held| held.run).collect();
        self.lock_runs(runs).await?;
        // Sorted, so that nodes lock them in the same order; the first of two that say the same counts.
        let mut outputs: BTreeMap<(TaskId, i64), &[u8]> = BTreeMap::new();
        for finished in finished.into_iter().filter(|finished| self.held.contains_key(&finished.claim)) {
            if let Verdict::Succeeded { output, .. } = &finished.verdict {
                outputs.entry((finished.claim.id, finished.claim.fence)).or_insert(output);
            }
        }
        if outputs.is_empty() {
            return Ok(());
        }
        let succeed = query(sql::SUCCEED)
            .bind(outputs.keys().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
            .bind(outputs.keys().map(|(_, fence)| *fence).collect::<Vec<_>>())
            .bind(outputs.values().copied().collect::<Vec<_>>())
            .bind(self.now.as_millis());
        for row in self.link.all(succeed).await? {
            let (id, fence): (TaskId, i64) = (id(&row, 0)?, row.try_get(1)?);
            self.succeeded.insert(Claim { id, fence });
        }
        Ok(())
    }

    /// Ends one attempt, with all that follows from it.
    pub(super) async fn settle(&mut self, worker: WorkerId, finished: &Finished) -> Outcome<Settled> {
        let Finished { claim, verdict, notes } = finished;
        let Some(&held) = self.held.get(claim) else { return Ok(Settled::Fenced) };
        let (id, fence, now) = (claim.id.uuid(), claim.fence, self.now.as_millis());
        let committed = match verdict {
            Verdict::Succeeded { next, .. } => {
                // It was ended with the others; the second of two ends does not count.
                self.succeeded.remove(claim) && self.ended(worker, ended(*claim, held, next)).await?
            }
            Verdict::Failed { report, error, next } => {
                let ended = Ended { state: TaskState::Failed, report: Some(report), ..ended(*claim, held, next) };
                let followed = self.is_followed(held, next).await?;
                self.fail(*claim, report, error.as_deref(), followed).await? && self.ended(worker, ended).await?
            }
            Verdict::Cancelled { next } => {
                let holds = self.link.execute(query(sql::END_CANCELLED).bind(id).bind(fence).bind(now)).await? > 0;
                let ended = Ended { state: TaskState::Cancelled, ..ended(*claim, held, next) };
                holds && self.ended(worker, ended).await?
            }
            Verdict::Retry { report, delay } => {
                let back = PutBack { failures: 1, delay: *delay, failure: Some(report), ..PutBack::default() };
                self.put_back(*claim, held, back).await?
            }
            Verdict::Snoozed { delay } => {
                let back = PutBack { interrupts: 1, delay: *delay, ..PutBack::default() };
                self.put_back(*claim, held, back).await?
            }
            Verdict::Interrupted => {
                self.put_back(*claim, held, PutBack { interrupts: 1, ..PutBack::default() }).await?
            }
            Verdict::Parked { reason, detail } => {
                let park = query(sql::PARK).bind(id).bind(fence).bind(reason.as_str()).bind(text(detail)).bind(now);
                let row = self.link.first(park).await?;
                let state = row.map(|row| row.try_get(0)).transpose()?;
                self.left(*claim, held, state).await?
            }
        };
        if !committed {
            return Ok(Settled::Fenced);
        }
        self.leave(claim.id, held);
        self.keep_notes(claim.id, notes).await?;
        self.follow_up().await?;
        Ok(Settled::Committed)
    }

    /// Keeps notes of a task, if the claim still holds.
    pub(super) async fn note(&mut self, claim: Claim, notes: &Notes) -> Outcome<()> {
        // Another node may have taken the claim, so what is remembered of it is not asked.
        let find = query(sql::STILL_HELD).bind(claim.id.uuid()).bind(claim.fence);
        if self.link.exists(find).await? { self.keep_notes(claim.id, notes).await } else { Ok(()) }
    }

    /// Whether something follows a failure: then it is not tried again.
    async fn is_followed(&mut self, held: Held, next: &Follow) -> Outcome<bool> {
        let run = held.run.zip(self.state_of(held.run).await?);
        Ok(is_followed(&rules::follow(next.clone(), run, TaskState::Failed, held.undo)))
    }

    async fn fail(
        &mut self,
        claim: Claim,
        report: &FailureReport,
        error: Option<&[u8]>,
        followed: bool,
    ) -> Outcome<bool> {
        let report = encode(report)?;
        let (id, now) = (claim.id.uuid(), self.now.as_millis());
        let fail = query(sql::FAIL).bind(id).bind(claim.fence).bind(&report).bind(error).bind(now).bind(followed);
        if self.link.execute(fail).await? == 0 {
            return Ok(false);
        }
        self.keep_attempt(claim, &report).await?;
        Ok(true)
    }

    /// What follows the end of a task. It is always true, so that it can be the end of a condition.
    async fn ended(&mut self, worker: WorkerId, mut ended: Ended<'_>) -> Outcome<bool> {
        self.effects.ended.push(ended.id.into());
        if let Some(group) = ended.held.group {
            let group = self.leave_group(group, true, false).await?;
            ended.is_last = self.give_turns(group).await?;
        }
        match ended.held.run {
            Some(run) => self.advance(run, worker, &ended).await?,
            None => {
                for work in &ended.next.work {
                    self.add_other(work, worker).await?;
                }
            }
        }
        Ok(true)
    }

    /// running -> ready, with what is counted for it; or its end, if a cancel was asked for meanwhile.
    pub(super) async fn put_back(&mut self, claim: Claim, held: Held, back: PutBack<'_>) -> Outcome<bool> {
        let report = back.failure.map(encode).transpose()?;
        let run_at = self.now.plus(back.delay).as_millis();
        let now = self.now.as_millis();
        let counted = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let put_back = query(sql::PUT_BACK)
            .bind(claim.id.uuid())
            .bind(claim.fence)
            .bind(run_at)
            .bind(i16::from(run_at <= now))
            .bind(now)
            .bind(counted(back.failures))
            .bind(counted(back.crashes))
            .bind(counted(back.interrupts))
            // A crash is in the attempts; the failure is what the handler said last.
            .bind(if back.crashes == 0 { report.as_deref() } else { None });
        let state = self.link.first(put_back).await?.map(|row| row.try_get(0)).transpose()?;
        if state.is_some()
            && let Some(report) = &report
        {
            self.keep_attempt(claim, report).await?;
        }
        self.left(claim, held, state).await
    }

    /// What follows when a running task was put back or parked; false if the claim had been lost.
    async fn left(&mut self, claim: Claim, held: Held, state: Option<String>) -> Outcome<bool> {
        let Some(state) = state else { return Ok(false) };
        if state == "cancelled" {
            self.effects.ended.push(claim.id.into());
            if (held.run.is_some() || held.group.is_some())
                && let Some(task) = self.standing(claim.id).await?
            {
                self.stopped_alone(&task).await?;
            }
        } else {
            self.hold_task(claim.id, held.run).await?;
        }
        Ok(true)
    }

    async fn keep_attempt(&mut self, claim: Claim, report: &str) -> Outcome<()> {
        let now = self.now.as_millis();
        let keep = query(sql::INSERT_ATTEMPT).bind(claim.id.uuid()).bind(claim.fence).bind(now).bind(report);
        self.link.execute(keep).await?;
        Ok(())
    }

    async fn keep_notes(&mut self, task: TaskId, notes: &Notes) -> Outcome<()> {
        if let Some((done, total)) = notes.progress {
            let keep = query(sql::PROGRESS).bind(task.uuid()).bind(done.cast_signed()).bind(total.cast_signed());
            self.link.execute(keep).await?;
        }
        if notes.lines.is_empty() {
            return Ok(());
        }
        let last = self.link.one(query(sql::LAST_LINE).bind(task.uuid())).await?;
        let kept = last.try_get::<Option<i64>, _>(0)?.unwrap_or(0);
        let lines = rules::lines_to_keep(usize::try_from(kept).unwrap_or(usize::MAX), notes.lines.clone());
        if lines.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i64> = (kept + 1..).zip(&lines).map(|(number, _)| number).collect();
        let keep = query(sql::INSERT_LINES)
            .bind(task.uuid())
            .bind(numbers)
            .bind(lines.iter().map(|line| line.at.as_millis()).collect::<Vec<_>>())
            .bind(lines.iter().map(|line| line.fence).collect::<Vec<_>>())
            .bind(lines.iter().map(|line| text(&line.text)).collect::<Vec<_>>());
        self.link.execute(keep).await?;
        Ok(())
    }
}

/// The end of an attempt that succeeded.
const fn ended(claim: Claim, held: Held, next: &Follow) -> Ended<'_> {
    Ended { id: claim.id, held, state: TaskState::Succeeded, next, report: None, is_last: true }
}
