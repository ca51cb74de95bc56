//! Signals: a value from outside, for the step that waits for it now or later.

use sqlx::{Row as _, query};

use super::batch::Batch;
use super::fault::Outcome;
use super::sql;
use super::value::{id, names, string, text};
use crate::id::{RunId, TaskId};
use crate::store::rules;
use crate::store::{NewTask, SignalOutcome};

impl Batch<'_> {
    /// Gives a run a value for one of its steps.
    pub(super) async fn signal(
        &mut self,
        run: RunId,
        step: &str,
        was: &[&str],
        value: &[u8],
    ) -> Outcome<SignalOutcome> {
        let row = self.run_row(run).await?;
        let state = row.as_ref().map(|row| row.state);
        let Some(mut row) = row.filter(|row| !row.state.is_terminal()) else {
            return Ok(rules::signal(state, false, false));
        };
        let waiting = self.waits_for_signal(run, step, was).await?;
        let mut before = false;
        if let Some(task) = waiting {
            let give = query(sql::GIVE_SIGNAL).bind(task.uuid()).bind(self.now.as_millis()).bind(value);
            self.link.execute(give).await?;
            self.use_signal(run, step).await?;
            self.hold_task(task, Some(run)).await?;
        } else {
            let there = query(sql::SIGNAL_THERE).bind(run.uuid()).bind(names(was.iter().copied()));
            let keep = query(sql::KEEP_SIGNAL).bind(run.uuid()).bind(text(step)).bind(value);
            before =
                (!was.is_empty() && self.link.first(there).await?.is_some()) || self.link.execute(keep).await? == 0;
            if !row.signalled {
                row.signalled = true;
                self.put_run(row);
            }
        }
        Ok(rules::signal(state, waiting.is_some(), before))
    }

    /// The oldest that waits for it. One whose time is up waits no more.
    async fn waits_for_signal(&mut self, run: RunId, step: &str, was: &[&str]) -> Outcome<Option<TaskId>> {
        self.flush_tasks().await?;
        let names = names([step].into_iter().chain(was.iter().copied()));
        let find = query(sql::WAITS_FOR_SIGNAL).bind(run.uuid()).bind(names).bind(self.now.as_millis());
        self.link.first(find).await?.map(|row| id(&row, 0)).transpose()
    }

    /// The signal that came before its step, and the name under which it is kept.
    pub(super) async fn kept_signal(&mut self, run: RunId, task: &NewTask) -> Outcome<Option<(String, Vec<u8>)>> {
        // Whoever gives one meanwhile waits for this transaction, and finds the step.
        self.lock_runs([run]).await?;
        let row = self.link.first(query(sql::KEPT_SIGNAL).bind(run.uuid()).bind(names(task.step_names()))).await?;
        row.map(|row| Ok((string(&row, 0)?, row.try_get(1)?))).transpose()
    }

    /// The step has it.
    pub(super) async fn use_signal(&mut self, run: RunId, step: &str) -> Outcome<()> {
        self.link.execute(query(sql::USE_SIGNAL).bind(run.uuid()).bind(text(step))).await?;
        if let Some(mut row) = self.run_row(run).await?.filter(|row| !row.signalled) {
            row.signalled = true;
            self.put_run(row);
        }
        Ok(())
    }
}

/// The run that a task waits in, at a step.
pub(super) fn place(task: &NewTask) -> Option<RunId> {
    let of = task.of.as_ref()?;
    of.step.as_ref().map(|_| of.run)
}
