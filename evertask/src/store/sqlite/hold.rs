//! Runs that are held: what runs of them ends and is kept, and nothing new of them starts.

use rusqlite::{OptionalExtension, params};

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
            let mut hold = self.conn.prepare_cached(sql::HOLD_TASKS)?;
            let buckets = hold.query_map([run], |row| row.get(0))?.collect::<Result<Vec<Option<String>>, _>>()?;
            drop(hold);
            for bucket in buckets.into_iter().flatten() {
                self.give_slot(&bucket)?;
            }
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
        let mut hold = self.conn.prepare_cached(sql::HOLD_TASK)?;
        let bucket: Option<Option<String>> = hold.query_row([seq], |row| row.get(0)).optional()?;
        drop(hold);
        bucket.flatten().map_or(Ok(()), |bucket| self.give_slot(&bucket).map(drop))
    }
}
