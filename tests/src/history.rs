//! What became of every task and run, as triggers of the database itself write it down: each change of a state, in
//! its order, with the process whose worker had the task.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};

use crate::process::Place;
use crate::record::Record;

const POSTGRES: &str = "
CREATE TABLE public.history (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at bigint NOT NULL, of_run boolean NOT NULL,
    id text NOT NULL, was text, state text NOT NULL, fence bigint NOT NULL, place text
);
CREATE FUNCTION public.keep_task() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (OLD.state, OLD.fence) IS DISTINCT FROM (NEW.state, NEW.fence) THEN
        INSERT INTO public.history (at, of_run, id, was, state, fence, place)
        VALUES (extract(epoch FROM clock_timestamp()) * 1000, FALSE, NEW.id, OLD.state, NEW.state, NEW.fence,
                (SELECT place FROM evertask.worker WHERE id = NEW.worker));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.keep_run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.state IS DISTINCT FROM NEW.state THEN
        INSERT INTO public.history (at, of_run, id, was, state, fence)
        VALUES (extract(epoch FROM clock_timestamp()) * 1000, TRUE, NEW.id, OLD.state, NEW.state, 0);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER keep AFTER INSERT OR UPDATE ON evertask.task FOR EACH ROW EXECUTE FUNCTION public.keep_task();
CREATE TRIGGER keep AFTER INSERT OR UPDATE ON evertask.run FOR EACH ROW EXECUTE FUNCTION public.keep_run();
";

const SQLITE: &str = "
CREATE TABLE history (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    of_run INTEGER NOT NULL, id BLOB NOT NULL, was TEXT, state TEXT NOT NULL, fence INTEGER NOT NULL, place TEXT
);
CREATE TRIGGER keep_new_task AFTER INSERT ON task BEGIN
    INSERT INTO history (of_run, id, state, fence) VALUES (0, new.id, new.state, new.fence);
END;
CREATE TRIGGER keep_task AFTER UPDATE ON task WHEN old.state <> new.state OR old.fence <> new.fence BEGIN
    INSERT INTO history (of_run, id, was, state, fence, place)
    VALUES (0, new.id, old.state, new.state, new.fence, (SELECT place FROM worker WHERE id = new.worker));
END;
CREATE TRIGGER keep_new_run AFTER INSERT ON run BEGIN
    INSERT INTO history (of_run, id, state, fence) VALUES (1, new.id, new.state, 0);
END;
CREATE TRIGGER keep_run AFTER UPDATE ON run WHEN old.state <> new.state BEGIN
    INSERT INTO history (of_run, id, was, state, fence) VALUES (1, new.id, old.state, new.state, 0);
END;
";

const READ: &str = "SELECT at, of_run, id, was, state, fence, place FROM public.history ORDER BY seq";
const READ_FILE: &str = "SELECT at, of_run, lower(hex(id)), was, state, fence, place FROM history ORDER BY seq";

/// The changes of a task that there are.
const OF_TASKS: &[(&str, &str)] = &[
    ("ready", "running"),
    ("ready", "waiting"),
    ("ready", "parked"),
    ("ready", "cancelled"),
    ("waiting", "ready"),
    ("waiting", "cancelled"),
    ("running", "ready"),
    ("running", "waiting"),
    ("running", "parked"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("parked", "ready"),
    ("parked", "cancelled"),
];
/// And of a run.
const OF_RUNS: &[(&str, &str)] = &[
    ("running", "paused"),
    ("running", "cancelling"),
    ("running", "compensating"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("paused", "running"),
    ("paused", "cancelling"),
    ("cancelling", "succeeded"),
    ("cancelling", "failed"),
    ("cancelling", "cancelled"),
    ("compensating", "failed"),
    ("compensating", "cancelled"),
];

/// A change of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When, in milliseconds since 1970 by the database's clock.
    pub at: i64,
    /// Whether it is a run, and not a task.
    pub of_run: bool,
    /// Whose, in hexadecimal digits.
    pub id: String,
    /// The state before; none of what is new.
    pub was: Option<String>,
    /// The state after.
    pub state: String,
    /// How often the task was claimed.
    pub fence: i64,
    /// The process whose worker has the task from now on.
    pub process: Option<u32>,
}

/// From now on the database keeps it. The tables must be there.
pub async fn keep(place: &Place) {
    if place.is_file() {
        rusqlite::Connection::open(place.database()).unwrap().execute_batch(SQLITE).unwrap();
        return;
    }
    let mut conn = PgConnection::connect(&place.store()).await.unwrap();
    sqlx::raw_sql(POSTGRES).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

/// All of it.
pub async fn read(place: &Place) -> Vec<Change> {
    if place.is_file() {
        let conn = rusqlite::Connection::open(place.database()).unwrap();
        let mut read = conn.prepare(READ_FILE).unwrap();
        let rows = read.query_map([], |row| {
            let (at, of_run, id, was) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(Change { at, of_run, id, was, state: row.get(4)?, fence: row.get(5)?, process: process(row.get(6)?) })
        });
        return rows.unwrap().map(Result::unwrap).collect();
    }
    let mut conn = PgConnection::connect(&place.store()).await.unwrap();
    let rows = sqlx::query(READ).fetch_all(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let changes = rows.iter().map(|row| {
        let (at, of_run, id, was) = (row.get(0), row.get(1), digits(&row.get::<String, _>(2)), row.get(3));
        Change { at, of_run, id, was, state: row.get(4), fence: row.get(5), process: process(row.get(6)) }
    });
    changes.collect()
}

/// `process 7`
fn process(place: Option<String>) -> Option<u32> {
    place?.rsplit(' ').next()?.parse().ok()
}

/// An id as the history has it.
pub fn digits(id: &str) -> String {
    id.replace('-', "")
}

/// The process that claimed each task last.
pub fn owners(history: &[Change]) -> HashMap<&str, u32> {
    let claims = history.iter().filter(|change| !change.of_run && change.state == "running");
    claims.filter_map(|claim| Some((claim.id.as_str(), claim.process?))).collect()
}

/// Whether each change is one that there is and happened once, each claim has the next number, and everything came
/// to one end: the one that is stored. Gives what is wrong, a line each.
pub fn check(history: &[Change], record: &Record) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut changes = HashMap::<&str, Vec<&Change>>::new();
    for change in history {
        changes.entry(&change.id).or_default().push(change);
    }
    let tasks = record.tasks.iter().map(|task| (task.id.to_string(), task.state.to_string(), task.fence));
    let runs = record.runs.iter().map(|run| (run.id.to_string(), run.state.to_string(), 0));
    for (id, state, fence) in tasks.chain(runs) {
        let changes = changes.remove(digits(&id).as_str()).unwrap_or_default();
        wrong.extend(of_one(&changes, &state, fence).into_iter().map(|wrong| format!("{id}: {wrong}")));
    }
    wrong.extend(changes.keys().map(|id| format!("{id} has a history, and is not stored")));
    wrong
}

fn of_one(changes: &[&Change], state: &str, fence: i64) -> Vec<String> {
    let mut wrong = Vec::new();
    let (mut last, mut claims, mut ends) = (None, 0, 0);
    for change in changes {
        let (was, state) = (change.was.as_deref(), change.state.as_str());
        if was != last {
            wrong.push(format!("from {was:?} to {state}, when it was {last:?}"));
        }
        let known = if change.of_run { OF_RUNS } else { OF_TASKS };
        if was.is_some_and(|was| !known.contains(&(was, state))) {
            wrong.push(format!("from {was:?} to {state}"));
        }
        if state == "running" && !change.of_run {
            claims += 1;
        }
        if change.fence != claims {
            wrong.push(format!("claim {} is its claim number {claims}", change.fence));
        }
        ends += u32::from(["succeeded", "failed", "cancelled"].contains(&state));
        last = Some(state);
    }
    if last != Some(state) || claims != fence || ends != 1 {
        wrong.push(format!("{claims} claims, {ends} ends, at last {last:?}; stored are {fence} claims, {state}"));
    }
    wrong
}
