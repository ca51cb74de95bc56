//! What is read: records and listings, each in one snapshot.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{Row as _, query};

use super::fault::{Fault, Outcome};
use super::link::Link;
use super::reader::Living;
use super::sql;
use super::value::{
    count, id, optional_id, optional_string, park_reason, report, run_state, string, task_state, text, time, wait,
};
use crate::id::{RunId, TaskId, WorkId};
use crate::schedule::Timestamp;
use crate::store::{AttemptRecord, Earlier, LogLine, Peer, RunFilter, RunRecord, TaskFilter, TaskRecord};

/// How many rows a listing has, if its filter does not say.
const PAGE: u32 = 100;

pub(super) async fn task(link: &mut Link<'_>, task: TaskId) -> Outcome<Option<TaskRecord>> {
    let row = link.first(query(sql::TASK).bind(task.uuid())).await?;
    row.map(|row| task_record(&row)).transpose()
}

pub(super) async fn run_of(link: &mut Link<'_>, run: RunId) -> Outcome<Option<RunRecord>> {
    let row = link.first(query(sql::RUN).bind(run.uuid())).await?;
    row.map(|row| run_record(&row)).transpose()
}

/// Which of these have ended, or are not there.
pub(super) async fn ended(link: &mut Link<'_>, asked: &[WorkId]) -> Outcome<Vec<WorkId>> {
    let by_id: HashMap<uuid::Uuid, WorkId> = asked.iter().map(|&work| (work.uuid(), work)).collect();
    let ids: Vec<uuid::Uuid> = by_id.keys().copied().collect();
    let mut ended = Vec::new();
    for row in link.all(query(sql::ENDED).bind(ids)).await? {
        ended.extend(by_id.get(&row.try_get(0)?));
    }
    Ok(ended)
}

pub(super) async fn tasks(link: &mut Link<'_>, filter: &TaskFilter) -> Outcome<Vec<TaskRecord>> {
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    let find = query(sql::TASKS)
        .bind((!states.is_empty()).then_some(states))
        .bind(filter.name.as_deref().map(text))
        .bind(filter.queue.as_deref().map(text))
        .bind(filter.run.map(RunId::uuid))
        .bind(filter.correlation.as_deref().map(text))
        .bind(filter.after.map(TaskId::uuid))
        .bind(i64::from(filter.limit.unwrap_or(PAGE)));
    link.all(find).await?.iter().map(task_record).collect()
}

pub(super) async fn runs(link: &mut Link<'_>, filter: &RunFilter) -> Outcome<Vec<RunRecord>> {
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    let find = query(sql::RUNS)
        .bind((!states.is_empty()).then_some(states))
        .bind(filter.workflow.as_deref().map(text))
        .bind(filter.correlation.as_deref().map(text))
        .bind(filter.after.map(RunId::uuid))
        .bind(i64::from(filter.limit.unwrap_or(PAGE)));
    link.all(find).await?.iter().map(run_record).collect()
}

pub(super) async fn log(link: &mut Link<'_>, task: TaskId) -> Outcome<Vec<LogLine>> {
    let rows = link.all(query(sql::LOG).bind(task.uuid())).await?;
    let said = |row: &PgRow| {
        let at = Timestamp::from_millis(row.try_get(0)?);
        Ok(LogLine { at, fence: row.try_get(1)?, text: string(row, 2)? })
    };
    rows.iter().map(said).collect()
}

pub(super) async fn attempts(link: &mut Link<'_>, task: TaskId) -> Outcome<Vec<AttemptRecord>> {
    let rows = link.all(query(sql::ATTEMPTS).bind(task.uuid())).await?;
    let attempt = |row: &PgRow| {
        let report = report(row, 2)?.ok_or_else(|| Fault::Value("an attempt without a report".to_owned()))?;
        Ok(AttemptRecord { fence: row.try_get(0)?, at: Timestamp::from_millis(row.try_get(1)?), report })
    };
    rows.iter().map(attempt).collect()
}

/// The workers that are listed, and what comes next.
pub(super) async fn lives(link: &mut Link<'_>) -> Outcome<Living> {
    let rows = link.all(query(sql::WORKERS)).await?;
    let peers = rows.iter().map(peer).collect::<Outcome<_>>()?;
    let next = link.one(query(sql::NEXT_TIMES)).await?;
    Ok(Living { peers, deadline: time(&next, 0)?, slot: time(&next, 1)? })
}

/// The input of a run, and what steps of it came to when they last succeeded.
pub(super) async fn earlier(link: &mut Link<'_>, run: RunId, steps: &[String]) -> Outcome<Earlier> {
    let input = link.first(query(sql::RUN_INPUT).bind(run.uuid())).await?;
    let input: Option<Vec<u8>> = input.map(|row| row.try_get(0)).transpose()?;
    let mut outputs = Vec::with_capacity(steps.len());
    for step in steps {
        let find = query(sql::LAST_SUCCEEDED).bind(run.uuid()).bind(text(step));
        let row = link.first(find).await?;
        outputs.push(row.map(|row| row.try_get::<Option<Vec<u8>>, _>(3)).transpose()?.flatten());
    }
    Ok(Earlier { input: input.unwrap_or_default(), outputs })
}

fn peer(row: &PgRow) -> Outcome<Peer> {
    let lease = Duration::from_millis(row.try_get::<i64, _>(3)?.cast_unsigned());
    Ok(Peer { id: id(row, 0)?, place: string(row, 1)?, beat: row.try_get(2)?, lease })
}

fn number(row: &PgRow, column: usize) -> Outcome<u32> {
    Ok(u32::try_from(row.try_get::<i64, _>(column)?).unwrap_or(u32::MAX))
}

fn task_record(row: &PgRow) -> Outcome<TaskRecord> {
    let parked = match optional_string(row, 10)? {
        Some(reason) => Some((park_reason(&reason)?, optional_string(row, 11)?.unwrap_or_default())),
        None => None,
    };
    let progress = row.try_get::<Option<i64>, _>(24)?.zip(row.try_get::<Option<i64>, _>(25)?);
    let item = row.try_get::<Option<i64>, _>(29)?.map(|item| u32::try_from(item).unwrap_or(u32::MAX));
    Ok(TaskRecord {
        id: id(row, 0)?,
        name: string(row, 1)?,
        queue: string(row, 2)?,
        state: task_state(row.try_get(3)?)?,
        priority: row.try_get(4)?,
        run_at: Timestamp::from_millis(row.try_get(5)?),
        payload: row.try_get(6)?,
        output: row.try_get(7)?,
        failure: report(row, 8)?,
        error: row.try_get(9)?,
        parked,
        fence: row.try_get(12)?,
        failures: count(row, 13)?,
        crashes: count(row, 14)?,
        interrupts: count(row, 15)?,
        worker: optional_id(row, 16)?,
        cancel_requested: row.try_get(17)?,
        key: optional_string(row, 18)?,
        correlation: optional_string(row, 19)?,
        parent: optional_id(row, 20)?,
        run: optional_id(row, 21)?,
        workflow: optional_string(row, 22)?,
        step: optional_string(row, 23)?,
        progress: progress.map(|(done, total)| (done.cast_unsigned(), total.cast_unsigned())),
        created_at: Timestamp::from_millis(row.try_get(26)?),
        finished_at: time(row, 27)?,
        wait: wait(row, 28)?,
        item,
        is_undo: row.try_get(30)?,
        deadline: time(row, 31)?,
    })
}

fn run_record(row: &PgRow) -> Outcome<RunRecord> {
    Ok(RunRecord {
        id: id(row, 0)?,
        workflow: string(row, 1)?,
        version: number(row, 2)?,
        state: run_state(row.try_get(3)?)?,
        input: row.try_get(4)?,
        output: row.try_get(5)?,
        failure: report(row, 6)?,
        open_tasks: number(row, 7)?,
        key: optional_string(row, 8)?,
        correlation: optional_string(row, 9)?,
        parent: optional_id(row, 10)?,
        deadline: time(row, 11)?,
        created_at: Timestamp::from_millis(row.try_get(12)?),
        finished_at: time(row, 13)?,
        fingerprint: row.try_get::<i64, _>(14)?.cast_unsigned(),
    })
}
