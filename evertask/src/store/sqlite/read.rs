//! Reading: a thread and a connection of its own, so that no listing waits for a writer, nor a writer for it.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use tokio::sync::oneshot;

use super::fault::{Fault, Outcome};
use super::value::{Id, id, optional_id, park_reason, report, run_state, task_state, wait};
use super::{sql, writer};
use crate::id::{RunId, TaskId, WorkId};
use crate::schedule::Timestamp;
use crate::store::{AttemptRecord, Earlier, LogLine, Peer, RunFilter, RunRecord, StoreError, TaskFilter, TaskRecord};

/// How many rows a listing has, if its filter does not say.
const PAGE: u32 = 100;

type Reading = dyn FnOnce(&Connection, &Path) + Send;

/// What the thread is to do.
pub(super) enum Job {
    Read(Box<Reading>),
    /// The connection is closed, and this is dropped.
    Close(std::sync::mpsc::Sender<()>),
}

/// Works until the store is closed, or dropped.
pub(super) fn run(conn: Connection, path: &Path, jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Read(read) => read(&conn, path),
            Job::Close(done) => {
                drop(conn);
                drop(done);
                return;
            }
        }
    }
}

/// Asks for something to be read.
pub(super) fn ask<T: Send + 'static>(
    jobs: &Sender<Job>,
    read: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
) -> oneshot::Receiver<Result<T, StoreError>> {
    let (reply, answer) = oneshot::channel();
    let job = Job::Read(Box::new(move |conn, path| {
        // Whoever no longer waits is not told.
        let _ = reply.send(read(conn).map_err(|fault| fault.at(path)));
    }));
    // A closed reader drops the reply, which says that it is closed.
    let _ = jobs.send(job);
    answer
}

pub(super) fn task(conn: &Connection, task: TaskId) -> Outcome<Option<TaskRecord>> {
    first(conn, sql::TASK, task.uuid(), task_record)
}

pub(super) fn run_of(conn: &Connection, run: RunId) -> Outcome<Option<RunRecord>> {
    first(conn, sql::RUN, run.uuid(), run_record)
}

pub(super) fn ended(conn: &Connection, id: WorkId) -> Outcome<bool> {
    Ok(!writer::lives(conn, id)?)
}

/// Whether the time of any run is up.
pub(super) fn any_expired(conn: &Connection, now: Timestamp) -> Outcome<bool> {
    Ok(conn.prepare_cached(sql::EXPIRED)?.exists([now.as_millis()])?)
}

pub(super) fn tasks(conn: &Connection, filter: TaskFilter) -> Outcome<Vec<TaskRecord>> {
    let mut listing = Listing::new(sql::TASKS);
    listing.states(filter.states.iter().map(|state| state.as_str()));
    listing.equal("name", filter.name);
    listing.equal("queue", filter.queue);
    listing.equal("run", filter.run.map(|run| run.uuid().as_bytes().to_vec()));
    listing.equal("correlation", filter.correlation);
    listing.add(sql::AFTER_TASK, filter.after.map(|task| task.uuid().as_bytes().to_vec()));
    listing.read(conn, filter.limit, task_record)
}

pub(super) fn runs(conn: &Connection, filter: RunFilter) -> Outcome<Vec<RunRecord>> {
    let mut listing = Listing::new(sql::RUNS);
    listing.states(filter.states.iter().map(|state| state.as_str()));
    listing.equal("workflow", filter.workflow);
    listing.equal("correlation", filter.correlation);
    listing.add(sql::AFTER_RUN, filter.after.map(|run| run.uuid().as_bytes().to_vec()));
    listing.read(conn, filter.limit, run_record)
}

pub(super) fn log(conn: &Connection, task: TaskId) -> Outcome<Vec<LogLine>> {
    all(conn, sql::LOG, task, |row| {
        Ok(LogLine { at: Timestamp::from_millis(row.get(0)?), fence: row.get(1)?, text: row.get(2)? })
    })
}

pub(super) fn attempts(conn: &Connection, task: TaskId) -> Outcome<Vec<AttemptRecord>> {
    all(conn, sql::ATTEMPTS, task, |row| {
        let report = report(row, 2)?.ok_or_else(|| Fault::Value("an attempt without a report".to_owned()))?;
        Ok(AttemptRecord { fence: row.get(0)?, at: Timestamp::from_millis(row.get(1)?), report })
    })
}

pub(super) fn workers(conn: &Connection) -> Outcome<Vec<Peer>> {
    let mut find = conn.prepare_cached(sql::WORKERS)?;
    let peers = find.query_map([], peer)?.collect::<Result<_, _>>()?;
    Ok(peers)
}

/// The input of a run, and what steps of it came to when they last succeeded.
pub(super) fn earlier(conn: &Connection, run: RunId, steps: &[String]) -> Outcome<Earlier> {
    let run = Id(run.uuid());
    let input = conn.prepare_cached(sql::RUN_INPUT)?.query_row([run], |row| row.get(0)).optional()?;
    let mut find = conn.prepare_cached(sql::LAST_SUCCEEDED)?;
    let outputs = steps.iter().map(|step| find.query_row(params![run, step], |row| row.get(3)).optional());
    Ok(Earlier { input: input.unwrap_or_default(), outputs: outputs.collect::<Result<_, _>>()? })
}

/// A listed worker.
pub(super) fn peer(row: &Row<'_>) -> rusqlite::Result<Peer> {
    let lease = std::time::Duration::from_millis(row.get::<_, i64>(3)?.cast_unsigned());
    Ok(Peer { id: id(row, 0)?, place: row.get(1)?, beat: row.get(2)?, lease })
}

fn first<T>(
    conn: &Connection,
    sql: &str,
    id: uuid::Uuid,
    record: impl Fn(&Row<'_>) -> Outcome<T>,
) -> Outcome<Option<T>> {
    let mut find = conn.prepare_cached(sql)?;
    let mut rows = find.query([Id(id)])?;
    rows.next()?.map(record).transpose()
}

fn all<T>(conn: &Connection, sql: &str, task: TaskId, record: impl Fn(&Row<'_>) -> Outcome<T>) -> Outcome<Vec<T>> {
    let mut find = conn.prepare_cached(sql)?;
    collect(find.query([Id(task.uuid())])?, record)
}

fn collect<T>(mut rows: rusqlite::Rows<'_>, record: impl Fn(&Row<'_>) -> Outcome<T>) -> Outcome<Vec<T>> {
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record(row)?);
    }
    Ok(records)
}

/// A statement that grows with its filter. Values are bound; columns and states are ours.
struct Listing {
    sql: String,
    values: Vec<Value>,
}

impl Listing {
    fn new(head: &str) -> Self {
        Self { sql: head.to_owned(), values: Vec::new() }
    }

    fn states(&mut self, states: impl Iterator<Item = &'static str>) {
        let states: Vec<String> = states.map(|state| format!("'{state}'")).collect();
        if !states.is_empty() {
            self.sql += " AND state IN (";
            self.sql += &states.join(", ");
            self.sql += ")";
        }
    }

    fn equal<V: Into<Value>>(&mut self, column: &str, value: Option<V>) {
        self.add(&format!(" AND {column} = ?"), value);
    }

    fn add<V: Into<Value>>(&mut self, condition: &str, value: Option<V>) {
        if let Some(value) = value {
            self.sql += condition;
            self.values.push(value.into());
        }
    }

    fn read<T>(
        mut self,
        conn: &Connection,
        limit: Option<u32>,
        record: impl Fn(&Row<'_>) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        self.add(sql::PAGE, Some(limit.unwrap_or(PAGE)));
        let mut find = conn.prepare_cached(&self.sql)?;
        collect(find.query(params_from_iter(self.values))?, record)
    }
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Outcome<&'r str> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

fn time(row: &Row<'_>, column: usize) -> Outcome<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
}

fn task_record(row: &Row<'_>) -> Outcome<TaskRecord> {
    let parked = match row.get::<_, Option<String>>(10)? {
        Some(reason) => Some((park_reason(&reason)?, row.get::<_, Option<String>>(11)?.unwrap_or_default())),
        None => None,
    };
    let progress = row.get::<_, Option<i64>>(24)?.zip(row.get::<_, Option<i64>>(25)?);
    Ok(TaskRecord {
        deadline: time(row, 31)?,
        id: id(row, 0)?,
        name: row.get(1)?,
        queue: row.get(2)?,
        state: task_state(text(row, 3)?)?,
        priority: row.get(4)?,
        run_at: Timestamp::from_millis(row.get(5)?),
        payload: row.get(6)?,
        output: row.get(7)?,
        failure: report(row, 8)?,
        error: row.get(9)?,
        parked,
        fence: row.get(12)?,
        failures: row.get(13)?,
        crashes: row.get(14)?,
        interrupts: row.get(15)?,
        worker: optional_id(row, 16)?,
        cancel_requested: row.get(17)?,
        key: row.get(18)?,
        correlation: row.get(19)?,
        parent: optional_id(row, 20)?,
        run: optional_id(row, 21)?,
        workflow: row.get(22)?,
        step: row.get(23)?,
        progress: progress.map(|(done, total)| (done.cast_unsigned(), total.cast_unsigned())),
        created_at: Timestamp::from_millis(row.get(26)?),
        finished_at: time(row, 27)?,
        wait: wait(row, 28)?,
        item: row.get(29)?,
        is_undo: row.get(30)?,
    })
}

fn run_record(row: &Row<'_>) -> Outcome<RunRecord> {
    Ok(RunRecord {
        id: id(row, 0)?,
        workflow: row.get(1)?,
        version: row.get(2)?,
        state: run_state(text(row, 3)?)?,
        input: row.get(4)?,
        output: row.get(5)?,
        failure: report(row, 6)?,
        open_tasks: row.get(7)?,
        key: row.get(8)?,
        correlation: row.get(9)?,
        parent: optional_id(row, 10)?,
        deadline: time(row, 11)?,
        created_at: Timestamp::from_millis(row.get(12)?),
        finished_at: time(row, 13)?,
        fingerprint: row.get::<_, i64>(14)?.cast_unsigned(),
    })
}
