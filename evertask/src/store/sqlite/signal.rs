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
    pub(super) fn signal(&mut self, run: RunId, step: &str, was: &[&str], value: &[u8]) -> Outcome<SignalOutcome> {
        let state = self.run_row(run)?.map(|row| row.state);
        let is_open = state.is_some_and(|state| !state.is_terminal());
        let waiting = if is_open { self.waits_for_signal(run, step, was)? } else { None };
        let run = Id(run.uuid());
        let mut before = false;
        if let Some(seq) = waiting {
            let mut give = self.conn.prepare_cached(sql::GIVE_SIGNAL)?;
            give.execute(params![seq, self.now.as_millis(), value])?;
            self.use_signal(run, step)?;
            self.hold_task(seq)?;
        } else if is_open {
            for was in was {
                before |= self.conn.prepare_cached(sql::SIGNAL_THERE)?.exists(params![run, was])?;
            }
            before = before || self.conn.prepare_cached(sql::KEEP_SIGNAL)?.execute(params![run, step, value])? == 0;
        }
        Ok(rules::signal(state, waiting.is_some(), before))
    }

    /// The oldest that waits for it. One whose time is up waits no more.
    fn waits_for_signal(&self, run: RunId, step: &str, was: &[&str]) -> Outcome<Option<i64>> {
        let mut find = self.conn.prepare_cached(sql::WAITS_FOR_SIGNAL)?;
        let mut oldest: Option<i64> = None;
        for step in [step].iter().chain(was) {
            let values = params![Id(run.uuid()), step, self.now.as_millis()];
            let found: Option<i64> = find.query_row(values, |row| row.get(0)).optional()?;
            oldest = oldest.into_iter().chain(found).min();
        }
        Ok(oldest)
    }

    /// The signal that came before its step, and the name under which it is kept.
    pub(super) fn kept_signal<'t>(&self, run: Id, task: &'t NewTask) -> Outcome<Option<(&'t str, Vec<u8>)>> {
        let mut find = self.conn.prepare_cached(sql::KEPT_SIGNAL)?;
        for step in task.step_names() {
            if let Some(value) = find.query_row(params![run, step], |row| row.get(0)).optional()? {
                return Ok(Some((step, value)));
            }
        }
        Ok(None)
    }

    /// What waits for a signal again that came meanwhile has it, whatever its time; the first, of several.
    pub(super) fn give_kept(&self, run: RunId) -> Outcome<()> {
        let run = Id(run.uuid());
        let mut find = self.conn.prepare_cached(sql::KEPT_SIGNALS)?;
        let kept = find.query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let kept = kept.collect::<Result<Vec<(String, Vec<u8>)>, _>>()?;
        drop(find);
        for (step, value) in kept {
            let mut first = self.conn.prepare_cached(sql::WAITS_FOR_SIGNAL)?;
            let first: Option<i64> = first.query_row(params![run, step, i64::MIN], |row| row.get(0)).optional()?;
            if let Some(seq) = first {
                let mut give = self.conn.prepare_cached(sql::GIVE_SIGNAL)?;
                give.execute(params![seq, self.now.as_millis(), value])?;
                self.use_signal(run, &step)?;
            }
        }
        Ok(())
    }

    /// The step has it.
    pub(super) fn use_signal(&self, run: Id, step: &str) -> Outcome<()> {
        self.conn.prepare_cached(sql::USE_SIGNAL)?.execute(params![run, step])?;
        Ok(())
    }
}

/// The run that a task waits in, at a step.
pub(super) fn place(task: &NewTask) -> Option<Id> {
    let of = task.of.as_ref()?;
    of.step.as_ref().map(|_| Id(of.run.uuid()))
}
