//! Runs that are held: what runs of them ends and is kept, and nothing new of them starts.

use rusqlite::params;

use super::batch::Batch;
use super::fault::Outcome;
use super::sql;
use super::value::Id;
use crate::id::RunId;

impl Batch<'_, '_> {
    /// Holds a run. Says whether it was running.
    pub(super) fn pause(&self, run: RunId) -> Outcome<bool> {
        let run = Id(run.uuid());
        let paused = self.conn.prepare_cached(sql::PAUSE)?.execute([run])? > 0;
        if paused {
            self.conn.prepare_cached(sql::HOLD_TASKS)?.execute([run])?;
        }
        Ok(paused)
    }

    /// Lets a held run go on. Says whether it was held.
    pub(super) fn resume(&self, run: RunId) -> Outcome<bool> {
        let run = Id(run.uuid());
        let resumed = self.conn.prepare_cached(sql::RESUME)?.execute([run])? > 0;
        if resumed {
            let mut release = self.conn.prepare_cached(sql::RELEASE_TASKS)?;
            release.execute(params![run, self.now.as_millis()])?;
        }
        Ok(resumed)
    }

    /// A task is ready again; if its run is held, it waits instead.
    pub(super) fn hold_task(&self, seq: i64) -> Outcome<()> {
        self.conn.prepare_cached(sql::HOLD_TASK)?.execute([seq])?;
        Ok(())
    }
}
