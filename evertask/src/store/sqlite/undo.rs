//! Compensation: what undoes the steps of a run waits until the run is stopped, and then runs one at a time,
//! the newest first.

use rusqlite::{OptionalExtension, params};

use super::batch::Batch;
use super::fault::Outcome;
use super::insert::With;
use super::run::RunRow;
use super::sql;
use super::value::Id;
use crate::failure::FailureReport;
use crate::id::RunId;
use crate::store::{NewTask, RunState, Wait};

impl Batch<'_, '_> {
    /// A step has succeeded that can be undone.
    pub(super) fn register_undo(&mut self, row: &mut RunRow, undo: &NewTask) -> Outcome<()> {
        let with = With { wait: Some(Wait::Undo), undo: Some(row.undos + 1), ..With::default() };
        if !self.add_task(undo, &with)?.existing {
            row.undos += 1;
        }
        Ok(())
    }

    /// The newest that waits is ready. Says whether there is one.
    pub(super) fn next_undo(&self, run: RunId) -> Outcome<bool> {
        let mut next = self.conn.prepare_cached(sql::NEXT_UNDO)?;
        Ok(next.execute(params![Id(run.uuid()), self.now.as_millis()])? > 0)
    }

    /// It could not be undone: the run ends there, until somebody goes on.
    pub(super) fn undo_failed(&mut self, mut row: RunRow, seq: i64, report: &FailureReport) -> Outcome<()> {
        row.state = RunState::Compensating;
        if row.open_tasks > 0 {
            // Another run has added to this one meanwhile.
            return self.keep_run(row, Some(report));
        }
        self.end_run(&row, Some(report), Some(seq))
    }

    /// Goes on with a compensation that has stopped.
    pub(super) fn resume_undo(&self, run: RunId) -> Outcome<bool> {
        let run = Id(run.uuid());
        let failed: Option<i64> =
            self.conn.prepare_cached(sql::UNDO_FAILED)?.query_row([run], |row| row.get(0)).optional()?;
        let Some(seq) = failed else { return Ok(false) };
        self.conn.prepare_cached(sql::RESUME_UNDO)?.execute(params![seq, self.now.as_millis()])?;
        self.conn.prepare_cached(sql::RESUME_COMPENSATION)?.execute([run])?;
        Ok(true)
    }

    /// A run has succeeded: nothing of it is undone.
    pub(super) fn drop_undos(&self, run: RunId) -> Outcome<()> {
        self.conn.prepare_cached(sql::DROP_UNDOS)?.execute([Id(run.uuid())])?;
        Ok(())
    }

    /// A run has succeeded that is a step of another: that one undoes it, before what it did earlier.
    pub(super) fn move_undos(&mut self, run: RunId, undos: i64, outer: RunId) -> Outcome<()> {
        let Some(outer) = self.run_row(outer)?.filter(|outer| !outer.state.is_terminal()) else {
            return self.drop_undos(run);
        };
        let outer_id = Id(outer.id.uuid());
        self.conn.prepare_cached(sql::MOVE_UNDOS)?.execute(params![Id(run.uuid()), outer_id, outer.undos])?;
        self.conn.prepare_cached(sql::SET_UNDOS)?.execute(params![outer_id, outer.undos + undos])?;
        Ok(())
    }
}
