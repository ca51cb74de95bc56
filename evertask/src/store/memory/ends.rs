//! Ended attempts, what follows them, and the end of runs.

use crate::failure::FailureReport;
use crate::id::{RunId, TaskId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::rules::{self, PutBack, revival};
use crate::store::{
    AttemptRecord, Claim, Delivery, Finished, Follow, LogLine, NewWork, Notes, RunState, Settled, TaskState, Verdict,
    Wait,
};

use super::state::{Row, State, Stopped};

impl State {
    pub(super) fn settle(&mut self, worker: WorkerId, finished: Vec<Finished>, free: &[(String, u32)]) {
        // Slots first, so that what follows can be handed over.
        if self.workers.get(&worker).is_some_and(super::workers::Attached::may_claim) {
            for (queue, slots) in free {
                let queue = self.queue(queue);
                self.queues[queue].want(worker, *slots);
                self.touched.insert(queue);
            }
        }
        if finished.is_empty() {
            return;
        }
        let mut answers = Vec::with_capacity(finished.len());
        for Finished { claim, verdict, notes } in finished {
            if self.holds(claim) {
                self.keep(claim.id, notes);
                self.end(claim.id, verdict, worker);
                // The next attempt ends after all that follows from this one, in other runs too.
                self.carry_on();
                answers.push((claim, Settled::Committed));
            } else {
                answers.push((claim, Settled::Fenced));
            }
        }
        self.settled.push((worker, Delivery::Settled(answers)));
    }

    pub(super) fn note(&mut self, claim: Claim, notes: Notes) {
        if self.holds(claim) {
            self.keep(claim.id, notes);
        }
    }

    /// The guard of every write of a worker: the fence, and neither the worker nor the time.
    fn holds(&self, claim: Claim) -> bool {
        self.tasks.get(&claim.id).is_some_and(|row| row.fence == claim.fence && row.state == TaskState::Running)
    }

    fn keep(&mut self, id: TaskId, notes: Notes) {
        if let Some(row) = self.tasks.get_mut(&id) {
            row.progress = notes.progress.or(row.progress);
            let lines: Vec<LogLine> = rules::lines_to_keep(row.lines.len(), notes.lines);
            if !lines.is_empty() {
                let before = row.logged();
                row.lines.extend(lines);
                self.archive.relog(before, row);
            }
        }
    }

    fn end(&mut self, id: TaskId, verdict: Verdict, by: WorkerId) {
        let now = self.now;
        match verdict {
            Verdict::Succeeded { output, next } => {
                self.change(id, |row| {
                    row.state = TaskState::Succeeded;
                    row.output = Some(output);
                });
                self.follow(id, next, by);
            }
            Verdict::Failed { report, error, next } => {
                self.change(id, |row| {
                    row.state = TaskState::Failed;
                    failed(row, report, now);
                    row.error = error;
                });
                self.follow(id, next, by);
            }
            Verdict::Cancelled { next } => {
                self.change(id, |row| row.state = TaskState::Cancelled);
                self.follow(id, next, by);
            }
            Verdict::Retry { report, delay } => {
                if let Some(row) = self.tasks.get_mut(&id) {
                    failed(row, report, now);
                }
                self.put_back(id, now.plus(delay));
            }
            Verdict::Snoozed { delay } => self.interrupted(id, now.plus(delay)),
            Verdict::Interrupted => self.interrupted(id, now),
            Verdict::Parked { reason, detail } => {
                // What can't be read can't route its cancel either: it stays parked, with the cancel noted.
                match self.tasks.get(&id).map(|row| rules::put_back(row.cancel_requested, row.cancel_routed)) {
                    Some(PutBack::Cancelled) => self.end_cancelled(id),
                    _ => self.change(id, |row| {
                        row.state = TaskState::Parked;
                        row.parked = Some((reason, detail));
                    }),
                }
            }
        }
    }

    fn interrupted(&mut self, id: TaskId, run_at: Timestamp) {
        if let Some(row) = self.tasks.get_mut(&id) {
            row.interrupts += 1;
        }
        self.put_back(id, run_at);
    }

    /// A running task goes back, to be due at `run_at`; a cancel that was asked for comes first.
    pub(super) fn put_back(&mut self, id: TaskId, run_at: Timestamp) {
        let Some(row) = self.tasks.get(&id) else { return };
        let run_at = match rules::put_back(row.cancel_requested, row.cancel_routed) {
            PutBack::Ready => run_at,
            PutBack::ReadyToCancel => self.now,
            PutBack::Cancelled => return self.end_cancelled(id),
        };
        self.make_ready(id, |row| row.run_at = run_at);
    }

    /// A task has ended, and this follows it.
    fn follow(&mut self, id: TaskId, next: Follow, by: WorkerId) {
        let Some(row) = self.tasks.get(&id) else { return };
        let (run, ended, is_undo, item) = (row.run, row.state, row.is_undo, row.item);
        let state = run.and_then(|run| Some((run, self.state_of(run)?)));
        let lost = revival::loses(&next, state, ended, is_undo);
        let next = rules::follow(next, state, ended, is_undo);
        if let Some(row) = self.tasks.get_mut(&id) {
            row.followed = ended == TaskState::Failed && revival::is_followed(&next);
        }
        let Some((run, state)) = state else {
            for work in next.work {
                if self.can_add(&work) {
                    self.add(work, Some(by));
                }
            }
            return;
        };
        if let Some(run) = self.runs.get_mut(&run) {
            run.lost |= lost;
        }
        if let Some(undo) = next.undo {
            self.add_undo(run, undo);
        }
        for work in next.work {
            // Work that was one too many has failed the run.
            let stopped = rules::goes_on(state) && !self.state_of(run).is_some_and(rules::goes_on);
            if self.can_add(&work) && !(stopped && rules::is_of(&work, run)) {
                self.add(work, Some(by));
            }
        }
        if let (Some(output), Some(run)) = (next.output, self.runs.get_mut(&run)) {
            run.record.output = Some(output);
        }
        if let Some(arrival) = next.arrival {
            self.arrive(run, arrival, item.map(|(group, _)| group), Some(by));
        }
        if let Some(failure) = next.failure {
            self.fail_run(run, failure);
        }
        if is_undo && ended != TaskState::Succeeded {
            self.undo_failed(id);
        } else {
            self.end_run_if_done(run);
        }
    }

    /// Work of a run that has ended can't be added: it would never be counted.
    fn can_add(&self, work: &NewWork) -> bool {
        rules::run_of(work).is_none_or(|run| self.is_live(run.into()))
    }

    /// A run that goes on fails: nothing follows any more, and what it still has stops.
    pub(super) fn fail_run(&mut self, id: RunId, failure: FailureReport) {
        let Some(run) = self.runs.get_mut(&id).filter(|run| rules::goes_on(run.record.state)) else { return };
        run.record.state = RunState::Compensating;
        run.record.failure.get_or_insert(failure);
        self.no_deadline(id);
        self.mark_stopped(id);
        self.stop_tasks(id);
    }

    /// What a run still has when it fails is taken up again with it. A run that is a step is not, and what was to
    /// be cancelled anyway is not either.
    fn mark_stopped(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        for id in &run.live {
            let Some(row) = self.tasks.get_mut(id).filter(|row| !row.is_undo) else { continue };
            if row.cancel_requested || row.wait == Some(Wait::Run) {
                run.lost = true;
            } else {
                row.stopped = Some(Stopped(row.wait));
            }
        }
    }

    pub(super) fn no_deadline(&mut self, id: RunId) {
        if let Some(deadline) = self.runs.get(&id).and_then(|run| run.record.deadline) {
            self.deadlines.remove(&(deadline, id));
        }
    }

    /// A run whose last task has ended ends in the same transaction, or first undoes what it did.
    pub(super) fn end_run_if_done(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        if run.record.open_tasks > 0 || run.record.state.is_terminal() {
            return;
        }
        let carried = run.end_routed || run.inner_of.is_some();
        if let Some(failure) = rules::falls_short(&run.record, run.incomplete(), carried) {
            self.fail_run(id, failure);
        }
        let goes_on = self.state_of(id).is_some_and(rules::goes_on);
        if goes_on || !self.undo_next(id) {
            self.finish_run(id);
        }
    }

    /// A run ends.
    pub(super) fn finish_run(&mut self, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let after = rules::end_run(&mut run.record, run.end_routed, self.now);
        self.archive.keep_run(&run.record, run.number);
        let failed = run.record.state == RunState::Failed;
        let may_go_on = failed && self.run_facts(id).is_some_and(revival::may_revive);
        let Some(run) = self.runs.get_mut(&id) else { return };
        if !may_go_on {
            run.joins.clear();
            run.signals.clear();
        }
        if run.inner_of.is_some() {
            self.inner_ended.push(id);
        }
        if run.record.state == RunState::Succeeded {
            self.hand_on_undos(id);
        }
        self.no_deadline(id);
        self.run_ended(id);
        if let Some(task) = after {
            self.add(NewWork::Task(task), None);
        }
    }

    pub(super) fn expire_runs(&mut self) -> Vec<RunId> {
        let mut expired = Vec::new();
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > self.now {
                break;
            }
            self.deadlines.remove(&(deadline, id));
            let Some(run) = self.runs.get(&id) else { continue };
            let report = rules::out_of_time(&run.record.workflow, id);
            self.fail_run(id, report);
            self.end_run_if_done(id);
            // A run within it is cancelled, whatever its own time.
            self.carry_on();
            expired.push(id);
        }
        expired
    }
}

/// An attempt failed, and counts.
fn failed(row: &mut Row, report: FailureReport, at: Timestamp) {
    row.failures += 1;
    row.attempts.push(AttemptRecord { fence: row.fence, at, report: report.clone() });
    row.failure = Some(report);
}
