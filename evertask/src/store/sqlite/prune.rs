//! Retention: what has ended goes, the oldest first, a few at a time, each by its index.

use rusqlite::{Connection, OptionalExtension, params};

use super::batch::Batch;
use super::fault::Outcome;
use super::request::Reach;
use super::value::id;
use super::{ended, sql};
use crate::id::RunId;
use crate::schedule::Timestamp;
use crate::store::{Keep, Prune, TaskState};

/// Ends, in the order in which a [`Reach`] has them.
const ENDS: [TaskState; 3] = [TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled];

/// The newest that goes: by the time of its end, and among those that ended then by arrival.
pub(super) type Last = (i64, i64);

/// How far what goes reaches.
pub(super) fn reach(conn: &Connection, prune: Prune) -> Outcome<Reach> {
    let mut reach = Reach::default();
    for ((reach, state), keep) in reach.iter_mut().zip(ENDS).zip([prune.succeeded, prune.failed, prune.cancelled]) {
        *reach = [last_to_go(conn, ended::last_task, state, keep)?, last_to_go(conn, last_run, state, keep)?];
    }
    Ok(reach)
}

fn last_to_go(
    conn: &Connection,
    find: impl FnOnce(&Connection, TaskState, u64) -> Outcome<Option<Last>>,
    state: TaskState,
    keep: Keep,
) -> Outcome<Option<Last>> {
    let by_time = keep.since.map(Timestamp::as_millis).map(|since| (since.saturating_sub(1), i64::MAX));
    let by_number = keep.most.map(|most| find(conn, state, most)).transpose()?.flatten();
    Ok(by_time.max(by_number))
}

fn last_run(conn: &Connection, state: TaskState, most: u64) -> Outcome<Option<Last>> {
    let values = params![state.as_str(), i64::try_from(most).unwrap_or(i64::MAX)];
    let mut find = conn.prepare_cached(sql::LAST_RUN)?;
    Ok(find.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

impl Batch<'_, '_> {
    /// Removes a few of what need not be kept. How many rows went; a run is one.
    pub(super) fn prune(&mut self, prune: &Prune, reach: Reach) -> Outcome<u64> {
        self.list_ends()?;
        let most = prune.most as usize;
        let (mut tasks, mut runs) = (0, 0);
        for (state, [last_task, last_run]) in ENDS.into_iter().zip(reach) {
            if let Some(last) = last_task {
                tasks += self.prune_tasks(state, last, most - tasks)?;
            }
            if let Some(last) = last_run.filter(|_| runs < most) {
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

    fn runs_to_go(&self, state: TaskState, (time, seq): Last, most: usize) -> Outcome<Vec<RunId>> {
        let mut find = self.conn.prepare_cached(sql::RUNS_TO_GO)?;
        let runs = find.query_map(params![state.as_str(), time, seq, limit(most)], |row| id(row, 0))?;
        Ok(runs.collect::<Result<_, _>>()?)
    }
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
