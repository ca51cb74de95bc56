//! Ending attempts: one path for all verdicts, guarded by the fence and by nothing that has to do with time.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::batch::Batch;
use super::fault::Outcome;
use super::fleet::Held;
use super::run::Ended;
use super::sql;
use super::value::{Id, encode, optional_id};
use crate::failure::FailureReport;
use crate::id::WorkerId;
use crate::store::rules;
use crate::store::rules::revival::is_followed;
use crate::store::{Claim, Finished, Follow, LogLine, Notes, Settled, TaskState, Verdict};

/// Why a running task is ready again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PutBack<'r> {
    pub(super) failures: u32,
    pub(super) crashes: u32,
    pub(super) interrupts: u32,
    pub(super) delay: Duration,
    pub(super) failure: Option<&'r FailureReport>,
}

impl Batch<'_, '_> {
    /// Ends one attempt, with all that follows from it.
    pub(super) fn settle(&mut self, worker: WorkerId, finished: &Finished) -> Outcome<Settled> {
        let Finished { claim, verdict, notes } = finished;
        let Some(held) = self.find(*claim)? else { return Ok(Settled::Fenced) };
        let committed = match verdict {
            Verdict::Succeeded { output, next } => self.succeed(worker, *claim, held, output, next)?,
            Verdict::Failed { report, error, next } => {
                let ended = Ended { state: TaskState::Failed, report: Some(report), ..ended(*claim, held, next) };
                let followed = self.is_followed(held, next)?;
                self.fail(*claim, held, report, error.as_deref(), followed)? && self.ended(worker, ended)?
            }
            Verdict::Cancelled { next } => {
                let mut end = self.conn.prepare_cached(sql::END_CANCELLED)?;
                let values = params![held.seq, Id(claim.id.uuid()), claim.fence, self.now.as_millis()];
                let holds = end.execute(values)? > 0;
                drop(end);
                holds && self.ended(worker, Ended { state: TaskState::Cancelled, ..ended(*claim, held, next) })?
            }
            Verdict::Retry { report, delay } => {
                let back = PutBack { failures: 1, delay: *delay, failure: Some(report), ..PutBack::default() };
                self.put_back(*claim, held, back)?
            }
            Verdict::Snoozed { delay } => {
                self.put_back(*claim, held, PutBack { interrupts: 1, delay: *delay, ..PutBack::default() })?
            }
            Verdict::Interrupted => self.put_back(*claim, held, PutBack { interrupts: 1, ..PutBack::default() })?,
            Verdict::Parked { reason, detail } => {
                let id = Id(claim.id.uuid());
                let now = self.now.as_millis();
                let values = params![held.seq, id, claim.fence, reason.as_str(), detail, now];
                let mut park = self.conn.prepare_cached(sql::PARK)?;
                let state = park.query_row(values, |row| row.get(0)).optional()?;
                drop(park);
                self.left(*claim, held, state)?
            }
        };
        if !committed {
            return Ok(Settled::Fenced);
        }
        self.keep_notes(held.seq, notes)?;
        if held.slotted {
            self.leave_slot(held.seq)?;
        }
        self.follow_up()?;
        Ok(Settled::Committed)
    }

    /// Keeps notes of a task, if the claim still holds.
    pub(super) fn note(&mut self, claim: Claim, notes: &Notes) -> Outcome<()> {
        // Another process may have taken the claim, so what is remembered of it is not asked.
        match self.look_up(claim)? {
            Some(held) => self.keep_notes(held.seq, notes),
            None => Ok(()),
        }
    }

    /// The claim as it is remembered, or as it is stored. Whether it still holds is for the guard to say.
    fn find(&self, claim: Claim) -> Outcome<Option<Held>> {
        match self.fleet.held(claim) {
            Some(held) => Ok(Some(held)),
            None => self.look_up(claim),
        }
    }

    /// The claim as it is stored, if it still holds.
    pub(super) fn look_up(&self, claim: Claim) -> Outcome<Option<Held>> {
        let mut find = self.conn.prepare_cached(sql::HELD)?;
        let found = find.query_row(params![Id(claim.id.uuid()), claim.fence], |row| {
            let worker = uuid::Uuid::nil().into();
            Ok(Held {
                seq: row.get(0)?,
                run: optional_id(row, 1)?,
                group: optional_id(row, 2)?,
                undo: row.get(3)?,
                slotted: row.get(4)?,
                fence: claim.fence,
                worker,
                told: false,
            })
        });
        Ok(found.optional()?)
    }

    fn succeed(&mut self, worker: WorkerId, claim: Claim, held: Held, output: &[u8], next: &Follow) -> Outcome<bool> {
        let values = params![held.seq, Id(claim.id.uuid()), claim.fence, output, self.now.as_millis()];
        Ok(self.hot.succeed.execute(values)? > 0 && self.ended(worker, ended(claim, held, next))?)
    }

    /// Whether something follows a failure: then it is not tried again.
    fn is_followed(&mut self, held: Held, next: &Follow) -> Outcome<bool> {
        let run = match held.run {
            Some(run) => self.run_row(run)?.map(|row| (run, row.state)),
            None => None,
        };
        Ok(is_followed(&rules::follow(next.clone(), run, TaskState::Failed, held.undo)))
    }

    fn fail(
        &mut self,
        claim: Claim,
        held: Held,
        report: &FailureReport,
        error: Option<&[u8]>,
        followed: bool,
    ) -> Outcome<bool> {
        let report = encode(report)?;
        let (id, now) = (Id(claim.id.uuid()), self.now.as_millis());
        let values = params![held.seq, id, claim.fence, report, error, now, followed.then_some("followed")];
        if self.conn.prepare_cached(sql::FAIL)?.execute(values)? == 0 {
            return Ok(false);
        }
        self.keep_attempt(held.seq, claim.fence, &report)?;
        Ok(true)
    }

    /// What follows the end of a task. It is always true, so that it can be the end of a condition.
    fn ended(&mut self, worker: WorkerId, mut ended: Ended<'_>) -> Outcome<bool> {
        self.end_of(ended.held)?;
        self.task_ended(ended.id, ended.held.seq, ended.state, ended.held.run.is_some());
        if let Some(group) = ended.held.group {
            let group = self.leave_group(group, true, false)?;
            ended.is_last = self.give_turns(group)?;
        }
        match ended.held.run {
            Some(run) => self.advance(run, worker, &ended)?,
            None => {
                for work in &ended.next.work {
                    self.add_other(work, worker)?;
                }
            }
        }
        Ok(true)
    }

    /// running -> ready, with what is counted for it; or its end, if a cancel was asked for meanwhile.
    pub(super) fn put_back(&mut self, claim: Claim, held: Held, back: PutBack<'_>) -> Outcome<bool> {
        let report = back.failure.map(encode).transpose()?;
        let run_at = self.now.plus(back.delay).as_millis();
        let now = self.now.as_millis();
        let values = params![
            held.seq,
            Id(claim.id.uuid()),
            claim.fence,
            run_at,
            i64::from(run_at <= now),
            now,
            back.failures,
            back.crashes,
            back.interrupts,
            // A crash is in the attempts; the failure is what the handler said last.
            if back.crashes == 0 { report.as_ref() } else { None },
        ];
        let state = self.conn.prepare_cached(sql::PUT_BACK)?.query_row(values, |row| row.get(0)).optional()?;
        if state.is_some()
            && let Some(report) = &report
        {
            self.keep_attempt(held.seq, claim.fence, report)?;
        }
        self.left(claim, held, state)
    }

    /// What follows when a running task was put back or parked; false if the claim had been lost.
    fn left(&mut self, claim: Claim, held: Held, state: Option<String>) -> Outcome<bool> {
        let Some(state) = state else { return Ok(false) };
        self.end_of(held)?;
        if state == "cancelled" {
            self.task_ended(claim.id, held.seq, TaskState::Cancelled, held.run.is_some());
            if (held.run.is_some() || held.group.is_some())
                && let Some(task) = self.standing(claim.id)?
            {
                self.stopped_alone(&task)?;
            }
        } else if held.run.is_some() {
            self.hold_task(held.seq)?;
        }
        Ok(true)
    }

    fn keep_attempt(&self, seq: i64, fence: i64, report: &str) -> Outcome<()> {
        let mut keep = self.conn.prepare_cached(sql::INSERT_ATTEMPT)?;
        keep.execute(params![seq, fence, self.now.as_millis(), report])?;
        Ok(())
    }

    fn keep_notes(&self, seq: i64, notes: &Notes) -> Outcome<()> {
        if let Some((done, total)) = notes.progress {
            let mut keep = self.conn.prepare_cached(sql::PROGRESS)?;
            keep.execute(params![seq, done.cast_signed(), total.cast_signed()])?;
        }
        if notes.lines.is_empty() {
            return Ok(());
        }
        let mut last = self.conn.prepare_cached(sql::LAST_LINE)?;
        let kept = last.query_row([seq], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0);
        let lines = rules::lines_to_keep(usize::try_from(kept).unwrap_or(usize::MAX), notes.lines.clone());
        (kept + 1..).zip(&lines).try_for_each(|(number, line)| self.keep_line(seq, number, line))
    }

    fn keep_line(&self, seq: i64, number: i64, line: &LogLine) -> Outcome<()> {
        let mut keep = self.conn.prepare_cached(sql::INSERT_LINE)?;
        keep.execute(params![seq, number, line.at.as_millis(), line.fence, line.text])?;
        Ok(())
    }
}

/// The end of an attempt that succeeded.
const fn ended(claim: Claim, held: Held, next: &Follow) -> Ended<'_> {
    Ended { id: claim.id, held, state: TaskState::Succeeded, next, report: None, is_last: true }
}
