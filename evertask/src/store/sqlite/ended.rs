//! What has ended outside of runs, listed by the time of its end, so that it is found again when it may go. The tasks
//! that end in one transaction are one row: an index would write as many as there are tasks.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::batch::Batch;
use super::fault::Outcome;
use super::prune::Last;
use super::sql;
use super::value::Id;
use crate::id::TaskId;
use crate::store::TaskState;

/// The most tasks of one row.
const MOST_LISTED: usize = 1_000;

/// Tasks that have ended, and are not listed yet.
#[derive(Debug, Default)]
pub(super) struct Ends {
    succeeded: Vec<i64>,
    failed: Vec<i64>,
    cancelled: Vec<i64>,
}

impl Batch<'_, '_> {
    /// A task has ended: whoever waits for it is told, and it is listed if no run keeps it.
    pub(super) fn task_ended(&mut self, task: TaskId, seq: i64, state: TaskState, is_of_run: bool) {
        self.effects.ended.push(task.into());
        if is_of_run {
            return;
        }
        match state {
            TaskState::Succeeded => self.ends.succeeded.push(seq),
            TaskState::Failed => self.ends.failed.push(seq),
            TaskState::Cancelled => self.ends.cancelled.push(seq),
            TaskState::Waiting | TaskState::Ready | TaskState::Running | TaskState::Parked => {}
        }
    }

    /// Lists what has ended in this transaction. All of it has ended now.
    pub(super) fn list_ends(&mut self) -> Outcome<()> {
        let Ends { succeeded, failed, cancelled } = std::mem::take(&mut self.ends);
        let now = self.now.as_millis();
        self.list(TaskState::Succeeded, now, succeeded)?;
        self.list(TaskState::Failed, now, failed)?;
        self.list(TaskState::Cancelled, now, cancelled)
    }

    fn list(&mut self, state: TaskState, at: i64, mut tasks: Vec<i64>) -> Outcome<()> {
        tasks.sort_unstable();
        for tasks in tasks.chunks(MOST_LISTED) {
            self.hot.list_ended.execute(params![state.as_str(), at, tasks[0], serde_json::to_string(tasks)?])?;
        }
        Ok(())
    }

    /// A task that has ended lives again, or goes alone.
    pub(super) fn unlist(&mut self, task: TaskId) -> Outcome<()> {
        self.list_ends()?;
        let mut find = self.conn.prepare_cached(sql::LISTED_WITH)?;
        let mut rows = find.query([Id(task.uuid())])?;
        let mut found = None;
        while let Some(row) = rows.next()? {
            let (seq, state, at): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let tasks = listed(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?)?;
            if tasks.contains(&seq) {
                found = Some((seq, super::value::task_state(&state)?, at, row.get::<_, i64>(3)?, tasks));
                break;
            }
        }
        drop(rows);
        drop(find);
        let Some((seq, state, at, first, mut tasks)) = found else { return Ok(()) };
        self.conn.prepare_cached(sql::UNLIST)?.execute(params![state.as_str(), at, first])?;
        tasks.retain(|&task| task != seq);
        self.list(state, at, tasks)
    }

    /// Removes tasks that need not be kept, up to this one: the oldest first, and those that ended at the same time by
    /// their arrival.
    pub(super) fn prune_tasks(&mut self, state: TaskState, (time, seq): Last, most: usize) -> Outcome<usize> {
        let mut gone = 0;
        while gone < most {
            let mut oldest = self.conn.prepare_cached(sql::OLDEST_END)?;
            let at: Option<i64> = oldest.query_row([state.as_str()], |row| row.get(0)).optional()?;
            drop(oldest);
            let Some(at) = at.filter(|&at| at <= time) else { break };
            let went = self.prune_ended_at(state, at, if at < time { i64::MAX } else { seq }, most - gone)?;
            gone += went;
            if went == 0 {
                break;
            }
        }
        Ok(gone)
    }

    /// Removes the first so many of those that ended then, up to this one.
    fn prune_ended_at(&mut self, state: TaskState, at: i64, last: i64, most: usize) -> Outcome<usize> {
        let rows = self.first_ended_at(state, at, most)?;
        let mut tasks: Vec<i64> = rows.values().flatten().copied().collect();
        tasks.sort_unstable();
        let going = most.min(tasks.partition_point(|&task| task <= last));
        if going == 0 {
            return Ok(0);
        }
        for first in rows.into_keys() {
            self.conn.prepare_cached(sql::UNLIST)?.execute(params![state.as_str(), at, first])?;
        }
        let rest = tasks.split_off(going);
        self.list(state, at, rest)?;
        self.conn.prepare_cached(sql::PRUNE_TASKS)?.execute([serde_json::to_string(&tasks)?])?;
        Ok(tasks.len())
    }

    /// The rows that have the first so many of those that ended then: transactions of one millisecond may overlap.
    fn first_ended_at(&self, state: TaskState, at: i64, going: usize) -> Outcome<BTreeMap<i64, Vec<i64>>> {
        let mut find = self.conn.prepare_cached(sql::ENDED_AT)?;
        let mut rows = find.query(params![state.as_str(), at])?;
        let (mut found, mut count, mut last) = (BTreeMap::new(), 0, i64::MIN);
        while let Some(row) = rows.next()? {
            let first = row.get(0)?;
            if count >= going && first > last {
                break;
            }
            let tasks = listed(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
            count += tasks.len();
            last = tasks.last().map_or(last, |&task| last.max(task));
            found.insert(first, tasks);
        }
        Ok(found)
    }
}

/// The newest that goes, where so many stay.
pub(super) fn last_task(conn: &Connection, state: TaskState, most: u64) -> Outcome<Option<Last>> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut times = conn.prepare_cached(sql::ENDS_COUNTED)?;
    let mut rows = times.query([state.as_str()])?;
    let mut kept = 0;
    let at: i64 = loop {
        let Some(row) = rows.next()? else { return Ok(None) };
        let ended = usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
        if kept + ended > most {
            break row.get(0)?;
        }
        kept += ended;
    };
    let mut find = conn.prepare_cached(sql::ENDED_AT)?;
    let mut rows = find.query(params![state.as_str(), at])?;
    let mut tasks = Vec::new();
    while let Some(row) = rows.next()? {
        tasks.extend(listed(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    tasks.sort_unstable();
    // Another writer may have taken some meanwhile.
    let going = tasks.len().saturating_sub(most - kept);
    Ok(going.checked_sub(1).map(|last| (at, tasks[last])))
}

fn listed(tasks: &str) -> Outcome<Vec<i64>> {
    Ok(serde_json::from_str(tasks)?)
}
