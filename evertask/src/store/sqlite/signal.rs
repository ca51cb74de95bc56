//! Signals: a value from outside, for the step that waits for it now or later.

use rusqlite::{OptionalExtension, params};

use super::batch::Batch;
use super::fault::Outcome;
use super::sql;
use super::value::Id;
use crate::id::RunId;
use crate::store::rules;
use crate::store::{NewTask, SignalOutcome};

impl Batch<'_, '_> {
    /// Gives a run a value for one of its steps.
    pub(super) fn signal(&mut self, run: RunId, step: &str, value: &[u8]) -> Outcome<SignalOutcome> {
        let state = self.run_row(run)?.map(|row| row.state);
        let is_open = state.is_some_and(|state| !state.is_terminal());
        let waiting = if is_open { self.waits_for_signal(run, step)? } else { None };
        let run = Id(run.uuid());
        let mut before = false;
        if let Some(seq) = waiting {
            let mut give = self.conn.prepare_cached(sql::GIVE_SIGNAL)?;
            give.execute(params![seq, self.now.as_millis(), value])?;
            self.use_signal(run, step)?;
            self.hold_task(seq)?;
        } else if is_open {
            before = self.conn.prepare_cached(sql::KEEP_SIGNAL)?.execute(params![run, step, value])? == 0;
        }
        Ok(rules::signal(state, waiting.is_some(), before))
    }

    /// The oldest that waits for it. One whose time is up waits no more.
    fn waits_for_signal(&self, run: RunId, step: &str) -> Outcome<Option<i64>> {
        let mut find = self.conn.prepare_cached(sql::WAITS_FOR_SIGNAL)?;
        let values = params![Id(run.uuid()), step, self.now.as_millis()];
        Ok(find.query_row(values, |row| row.get(0)).optional()?)
    }

    /// The signal that came before its step.
    pub(super) fn kept_signal(&self, run: Id, step: &str) -> Outcome<Option<Vec<u8>>> {
        let mut find = self.conn.prepare_cached(sql::KEPT_SIGNAL)?;
        Ok(find.query_row(params![run, step], |row| row.get(0)).optional()?)
    }

    /// The step has it.
    pub(super) fn use_signal(&self, run: Id, step: &str) -> Outcome<()> {
        self.conn.prepare_cached(sql::USE_SIGNAL)?.execute(params![run, step])?;
        Ok(())
    }
}

/// The run and the step that a task waits at.
pub(super) fn place(task: &NewTask) -> Option<(Id, &str)> {
    let of = task.of.as_ref()?;
    Some((Id(of.run.uuid()), of.step.as_deref()?))
}
