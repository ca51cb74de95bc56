//! Retention: what has ended goes, the oldest first, a few at a time, each by its index.

use sqlx::{Row as _, query};

use super::batch::Batch;
use super::fault::Outcome;
use super::link::Link;
use super::request::Reach;
use super::sql;
use super::value::id;
use crate::id::RunId;
use crate::schedule::Timestamp;
use crate::store::{Keep, Prune, TaskState};

/// Ends, in the order in which a [`Reach`] has them.
const ENDS: [TaskState; 3] = [TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled];

/// How far what goes reaches.
pub(super) async fn reach(link: &mut Link<'_>, prune: Prune) -> Outcome<Reach> {
    let mut reach = Reach::default();
    let kept = [prune.succeeded, prune.failed, prune.cancelled];
    if kept.iter().any(|keep| keep.most.is_some()) {
        link.script(sql::BY_INDEX.to_owned()).await?;
    }
    for ((reach, state), keep) in reach.iter_mut().zip(ENDS).zip(kept) {
        for (last, find) in reach.iter_mut().zip([sql::LAST_TASK, sql::LAST_RUN]) {
            *last = last_to_go(link, find, state, keep).await?;
        }
    }
    Ok(reach)
}

async fn last_to_go(
    link: &mut Link<'_>,
    find: &'static str,
    state: TaskState,
    keep: Keep,
) -> Outcome<Option<(i64, i64)>> {
    let by_time = keep.since.map(Timestamp::as_millis).map(|since| (since.saturating_sub(1), i64::MAX));
    let Some(most) = keep.most else { return Ok(by_time) };
    let Some(row) = link.first(query(find).bind(state.as_str()).bind(limit(most))).await? else { return Ok(by_time) };
    Ok(by_time.max(Some((row.try_get(0)?, row.try_get(1)?))))
}

impl Batch<'_> {
    /// Removes a few of what need not be kept. How many rows went; a run is one.
    pub(super) async fn prune(&mut self, prune: &Prune, reach: Reach) -> Outcome<u64> {
        self.flush().await?;
        let most = u64::from(prune.most);
        let (mut tasks, mut runs) = (0, 0);
        for (state, [last_task, last_run]) in ENDS.into_iter().zip(reach) {
            if let Some((time, seq)) = last_task.filter(|_| tasks < most) {
                let prune = query(sql::PRUNE_TASKS).bind(state.as_str()).bind(time).bind(seq).bind(limit(most - tasks));
                tasks += self.link.execute(prune).await?;
            }
            if let Some((time, seq)) = last_run.filter(|_| runs < most) {
                let find = query(sql::RUNS_TO_GO).bind(state.as_str()).bind(time).bind(seq).bind(limit(most - runs));
                let rows = self.link.all(find).await?;
                let gone: Vec<RunId> = rows.iter().map(|row| id(row, 0)).collect::<Outcome<_>>()?;
                runs += gone.len() as u64;
                self.delete_runs(&gone).await?;
            }
        }
        let mut rows = tasks + runs;
        if let Some(since) = prune.logs_since {
            let prune = query(sql::PRUNE_LINES).bind(since.as_millis()).bind(limit(most));
            rows += self.link.execute(prune).await?;
        }
        if let Some(since) = prune.succeeded.since {
            let prune = query(sql::PRUNE_OCCURRENCES).bind(since.as_millis()).bind(limit(most));
            rows += self.link.execute(prune).await?;
        }
        // They are not counted: nobody can see them.
        let full = self.now.as_millis().saturating_mul(1_000);
        // Whoever starts next in this transaction pays in the rows that it has.
        let ours: Vec<&String> = self.buckets.keys().collect();
        self.link.execute(query(sql::FORGET_BUCKETS).bind(full).bind(limit(most)).bind(ours)).await?;
        self.forget_what_was_found();
        Ok(rows)
    }
}

fn limit(most: u64) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
