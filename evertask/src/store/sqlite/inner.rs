//! Runs that are steps of other runs. What one run does to another waits until the first is written, so that
//! no two are changed at a time, however deep they lie in each other.

use rusqlite::{OptionalExtension, params};

use super::batch::Batch;
use super::fault::Outcome;
use super::stop::Live;
use super::value::Id;
use super::{read, sql};
use crate::id::{RunId, TaskId};
use crate::store::RunState;
use crate::store::rules;

/// What is still to be done to another run.
#[derive(Debug, Clone, Copy)]
pub(super) enum After {
    /// Its outer run was stopped: it is cancelled.
    Cancel(RunId),
    /// It has ended: the step goes on that waits for it. So many places it gave to what undoes its steps.
    Wake { run: RunId, step: TaskId, undos: i64 },
}

impl Batch<'_, '_> {
    /// Does what is still to be done to other runs.
    pub(super) fn follow_up(&mut self) -> Outcome<()> {
        while let Some(after) = self.after.pop() {
            match after {
                After::Cancel(run) => self.stop_run(run).map(drop)?,
                After::Wake { run, step, undos } => self.wake_step(run, step, undos)?,
            }
        }
        Ok(())
    }

    fn wake_step(&mut self, run: RunId, step: TaskId, undos: i64) -> Outcome<()> {
        let Some(ended) = read::run_of(self.conn, run)? else { return Ok(()) };
        let waiting = self.waiting_step(step)?;
        if undos > 0 && ended.state == RunState::Succeeded {
            match waiting.as_ref().and_then(|(task, _)| task.run) {
                Some(outer) => self.move_undos(run, undos, outer)?,
                None => self.drop_undos(run)?,
            }
        }
        let Some((task, is_cancelled)) = waiting else { return Ok(()) };
        if is_cancelled && !task.cancel_routed {
            self.end_waiting(&task)?;
            return self.stopped_alone(&task);
        }
        let mut give = self.conn.prepare_cached(sql::GIVE_END)?;
        give.execute(params![task.seq, self.now.as_millis(), rules::end_of_run(&ended)])?;
        self.hold_task(task.seq)
    }

    fn waiting_step(&self, step: TaskId) -> Outcome<Option<(Live, bool)>> {
        let mut find = self.conn.prepare_cached(sql::WAITING_STEP)?;
        let mut rows = find.query([Id(step.uuid())])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some((Live::read(row)?, row.get(Live::COLUMNS)?)))
    }

    /// The run that a step waits for.
    pub(super) fn inner_run(&self, step: TaskId) -> Outcome<Option<RunId>> {
        let mut find = self.conn.prepare_cached(sql::INNER_RUN)?;
        Ok(find.query_row([Id(step.uuid())], |row| super::value::id(row, 0)).optional()?)
    }
}
