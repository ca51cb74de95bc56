//! Retention: what has ended goes, the oldest first, a few at a time, each by its index.

use rusqlite::{OptionalExtension, params};

use super::batch::Batch;
use super::fault::Outcome;
use super::sql;
use super::value::id;
use crate::id::RunId;
use crate::schedule::Timestamp;
use crate::store::{Keep, Prune, TaskState};

/// The newest run that goes: by the time of its end, and among those that ended then by arrival.
type Last = (i64, i64);

impl Batch<'_, '_> {
    /// Removes a few of what need not be kept. How many rows went; a run is one.
    pub(super) fn prune(&mut self, prune: &Prune) -> Outcome<u64> {
        let kept = [
            (TaskState::Succeeded, prune.succeeded),
            (TaskState::Failed, prune.failed),
            (TaskState::Cancelled, prune.cancelled),
        ];
        self.list_ends()?;
        let most = prune.most as usize;
        let (mut tasks, mut runs) = (0, 0);
        for (state, keep) in kept {
            tasks += self.prune_tasks(state, keep, most - tasks)?;
            if runs < most
                && let Some(last) = self.last_run_to_go(state, keep)?
            {
                let ended = self.runs_to_go(state, last, most - runs)?;
                runs += ended.len();
                ended.into_iter().try_for_each(|run| self.delete_run(run))?;
            }
        }
        let mut rows = tasks + runs;
        if let Some(since) = prune.logs_since {
            let values = params![since.as_millis(), prune.most];
            rows += self.conn.prepare_cached(sql::PRUNE_LINES)?.execute(values)?;
        }
        if let Some(since) = prune.succeeded.since {
            let values = params![since.as_millis(), prune.most];
            rows += self.conn.prepare_cached(sql::PRUNE_OCCURRENCES)?.execute(values)?;
        }
        // These are nothing that anybody can see: they are not counted.
        let now = self.now.as_millis().saturating_mul(1_000);
        self.conn.prepare_cached(sql::PRUNE_BUCKETS)?.execute(params![now, prune.most])?;
        Ok(u64::try_from(rows).unwrap_or(u64::MAX))
    }

    fn last_run_to_go(&self, state: TaskState, keep: Keep) -> Outcome<Option<Last>> {
        let by_time = keep.since.map(Timestamp::as_millis).map(|since| (since.saturating_sub(1), i64::MAX));
        let by_number = match keep.most {
            Some(most) => {
                let values = params![state.as_str(), i64::try_from(most).unwrap_or(i64::MAX)];
                let mut find = self.conn.prepare_cached(sql::LAST_RUN)?;
                find.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?
            }
            None => None,
        };
        Ok(by_time.max(by_number))
    }

    fn runs_to_go(&self, state: TaskState, (time, seq): Last, most: usize) -> Outcome<Vec<RunId>> {
        let mut find = self.conn.prepare_cached(sql::RUNS_TO_GO)?;
        let runs = find.query_map(params![state.as_str(), time, seq, limit(most)], |row| id(row, 0))?;
        Ok(runs.collect::<Result<_, _>>()?)
    }
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
