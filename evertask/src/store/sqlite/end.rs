//! The ends of runs: in the transaction that ends their last task.

use rusqlite::{OptionalExtension, params};

use super::batch::Batch;
use super::fault::Outcome;
use super::inner::After;
use super::insert::With;
use super::run::RunRow;
use super::value::{Id, encode, id, optional_id};
use super::{read, sql};
use crate::failure::FailureReport;
use crate::id::{RunId, TaskId};
use crate::store::RunState;
use crate::store::rules::{self, goes_on};

impl Batch<'_, '_> {
    /// Writes the run back. Without open tasks, that is its end, once everything is undone that is to be. The
    /// first failure is the one that is kept.
    pub(super) fn keep_run(&mut self, mut row: RunRow, failure: Option<&FailureReport>) -> Outcome<()> {
        let shortfall;
        let mut failure = failure;
        if row.open_tasks == 0 {
            shortfall = self.shortfall(&row)?;
            if shortfall.is_some() {
                row.state = RunState::Compensating;
                failure = shortfall.as_ref();
            }
            if goes_on(row.state) || row.undos == 0 || !self.next_undo(row.id)? {
                return self.end_run(&row, failure, None);
            }
            row.open_tasks = 1;
        }
        let failure = failure.map(encode).transpose()?;
        let mut set = self.conn.prepare_cached(sql::SET_RUN)?;
        let (state, run) = (row.state.as_str(), Id(row.id.uuid()));
        set.execute(params![run, state, row.open_tasks, row.undos, row.arrivals, failure])?;
        Ok(())
    }

    /// Why the run can't succeed, if it can't.
    fn shortfall(&self, row: &RunRow) -> Outcome<Option<FailureReport>> {
        let can_succeed = row.has_output && row.arrivals == 0 && !row.carried;
        if can_succeed || !goes_on(row.state) {
            return Ok(None);
        }
        let incomplete: Option<String> = if row.arrivals > 0 {
            let mut find = self.conn.prepare_cached(sql::INCOMPLETE)?;
            find.query_row([Id(row.id.uuid())], |row| row.get(0)).optional()?
        } else {
            None
        };
        let run = read::run_of(self.conn, row.id)?;
        Ok(run.and_then(|run| rules::falls_short(&run, incomplete.as_deref(), row.carried)))
    }

    /// Ends a run that has no open task. `undo_failed` is where its compensation has stopped.
    pub(super) fn end_run(
        &mut self,
        row: &RunRow,
        failure: Option<&FailureReport>,
        undo_failed: Option<i64>,
    ) -> Outcome<()> {
        let state = match row.state {
            RunState::Running | RunState::Paused => RunState::Succeeded,
            RunState::Cancelling => RunState::Cancelled,
            RunState::Compensating => RunState::Failed,
            RunState::Succeeded | RunState::Failed | RunState::Cancelled => return Ok(()),
        };
        let failure = failure.map(encode).transpose()?;
        let mut end = self.conn.prepare_cached(sql::END_RUN)?;
        // Of a run that has failed and may go on, what it waited for stays.
        let may_go_on = state == RunState::Failed && !row.carried && !row.lost && !self.was_undone(row)?;
        let arrivals = if may_go_on { row.arrivals } else { 0 };
        let (id, now) = (Id(row.id.uuid()), self.now.as_millis());
        let values = params![id, state.as_str(), now, failure, undo_failed, row.undos, arrivals];
        let (end_routed, step, had_signals, had_groups): (bool, Option<TaskId>, bool, bool) =
            end.query_row(values, |row| Ok((row.get(0)?, optional_id(row, 1)?, row.get(2)?, row.get(3)?)))?;
        drop(end);
        self.effects.ended.push(row.id.into());
        if row.arrivals > 0 && !may_go_on {
            self.conn.prepare_cached(sql::CLEAR_ARRIVALS)?.execute([id])?;
        }
        if had_signals && !may_go_on {
            self.conn.prepare_cached(sql::CLEAR_SIGNALS)?.execute([id])?;
        }
        if had_groups && !may_go_on {
            self.conn.prepare_cached(sql::CLEAR_GROUPS)?.execute([id])?;
        }
        if let Some(step) = step {
            self.after.push(After::Wake { run: row.id, step, undos: row.undos });
        } else if row.undos > 0 && state == RunState::Succeeded {
            self.drop_undos(row.id)?;
        }
        if end_routed { self.add_end(row.id) } else { Ok(()) }
    }

    /// Whether anything of the run was undone.
    fn was_undone(&self, row: &RunRow) -> Outcome<bool> {
        Ok(row.undos > 0 && self.run_facts(row.id)?.is_some_and(|facts| facts.undone))
    }

    /// What follows the workflow is added by the transaction that ends the run.
    fn add_end(&mut self, run: RunId) -> Outcome<()> {
        let Some(mut run) = read::run_of(self.conn, run)? else { return Ok(()) };
        match rules::end_run(&mut run, true, self.now) {
            Some(task) => self.add_task(&task, &With::default()).map(drop),
            None => Ok(()),
        }
    }

    /// The runs whose time is up fail.
    pub(super) fn expire_runs(&mut self) -> Outcome<Vec<RunId>> {
        let mut find = self.conn.prepare_cached(sql::EXPIRED)?;
        let expired: Vec<RunId> =
            find.query_map([self.now.as_millis()], |row| id(row, 0))?.collect::<Result<_, _>>()?;
        drop(find);
        let mut failed = Vec::with_capacity(expired.len());
        for run in expired {
            // One that is a part of another may have been stopped with that a moment ago.
            let Some(row) = self.run_row(run)?.filter(|row| goes_on(row.state)) else { continue };
            let report = rules::out_of_time(&row.workflow, run);
            self.fail_run(row, &report)?;
            self.follow_up()?;
            failed.push(run);
        }
        Ok(failed)
    }
}
