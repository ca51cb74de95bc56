//! A worker dies at the commit in which it does what was asked by SQL: it is done once, by whoever comes after it.

#![allow(clippy::unwrap_used)]

use std::os::unix::process::ExitStatusExt as _;

use evertask::Dispatcher;
use evertask::prelude::*;
use evertask::store::{RunState, TaskState};
use evertask::testing::CRASH_POINTS;
use evertask::testing::postgres::{Schema, server};
use evertask_tests::courses::Guided;
use evertask_tests::laps::{Lap, leg};
use evertask_tests::process::{Place, Program, until};
use evertask_tests::record::{Record, idle};
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");
/// What a process that aborts ends with.
const SIGABRT: i32 = 6;
const SERVE: [&str; 3] = ["serve", "--lease", "300ms"];
const LAP: Lap = Lap { nth: 0, seed: 0 };

/// A store on the server, and a program beside it that asks.
struct Office {
    runtime: Runtime,
    place: Place,
    schema: String,
    dispatcher: Dispatcher,
    sql: PgConnection,
}

impl Office {
    fn open() -> Self {
        let runtime = Runtime::new().unwrap();
        let url = Schema::new().unwrap().url().to_owned();
        let schema = url.rsplit_once("schema=").unwrap().1.to_owned();
        let (dispatcher, sql) = runtime.block_on(async {
            let dispatcher = Dispatcher::open(&url).await.unwrap();
            (dispatcher, PgConnection::connect(&server().unwrap()).await.unwrap())
        });
        Self { runtime, place: Place::on_server(&url), schema, dispatcher, sql }
    }

    /// Asks for something. What the function says, as text.
    fn ask(&mut self, call: &str) -> String {
        let ask = format!("SELECT {}.{call}::text", self.schema);
        self.runtime.block_on(sqlx::query_scalar(sqlx::AssertSqlSafe(ask)).fetch_one(&mut self.sql)).unwrap()
    }

    /// How much was asked and is not done.
    fn asked(&mut self) -> i64 {
        let ask = format!("SELECT count(*) FROM {}.request", self.schema);
        self.runtime.block_on(sqlx::query_scalar(sqlx::AssertSqlSafe(ask)).fetch_one(&mut self.sql)).unwrap()
    }

    /// A worker dies there; another comes, and does what is left. Everything that is stored then.
    fn die_at(mut self, point: &str) -> Record {
        let status = Program::start(WORKER, &self.place, &SERVE, Some(point)).wait();
        assert_eq!(status.signal(), Some(SIGABRT), "{point}: {status}");
        assert_eq!(self.asked(), i64::from(point.ends_with("before_commit")), "{point}");
        let after = Program::start(WORKER, &self.place, &SERVE, None);
        until("all that was asked is done", || self.asked() == 0);
        let record = self.runtime.block_on(async {
            idle(&self.dispatcher).await.unwrap();
            assert_eq!(self.dispatcher.verify().await.unwrap(), [], "{point}");
            Record::read(&self.dispatcher).await.unwrap()
        });
        assert!(after.finish().success(), "{point}: the worker that came after failed");
        self.runtime.block_on(self.dispatcher.close()).unwrap();
        record
    }
}

fn points() -> impl Iterator<Item = &'static str> {
    let points: Vec<_> = CRASH_POINTS.iter().copied().filter(|point| point.starts_with("postgres.request.")).collect();
    assert_eq!(points.len(), 2, "{points:?}");
    points.into_iter()
}

#[test]
fn a_dispatch_by_sql_survives_the_death_of_who_does_it() {
    for point in points() {
        let mut office = Office::open();
        let id = office.ask(r#"dispatch('leg', '{"lap": {"nth": 0, "seed": 0}}')"#);
        let record = office.die_at(point);
        let tasks: Vec<_> = record.tasks.iter().map(|task| (task.id.to_string(), task.state)).collect();
        assert_eq!(tasks, [(id, TaskState::Succeeded)], "{point}");
    }
}

#[test]
fn a_cancel_by_sql_survives_the_death_of_who_does_it() {
    for point in points() {
        let mut office = Office::open();
        let later = leg { lap: LAP }.after("1h");
        let id = office.runtime.block_on(office.dispatcher.dispatch(later)).unwrap().id();
        office.ask(&format!("cancel('{id}')"));
        let record = office.die_at(point);
        let tasks: Vec<_> = record.tasks.iter().map(|task| (task.id, task.state)).collect();
        assert_eq!(tasks, [(id, TaskState::Cancelled)], "{point}");
    }
}

#[test]
fn a_signal_by_sql_survives_the_death_of_who_does_it() {
    for point in points() {
        let mut office = Office::open();
        let id = office.runtime.block_on(office.dispatcher.dispatch(Guided(LAP))).unwrap().id();
        office.ask(&format!(r#"signal('{id}', 'bell', '{{"nth": 0, "seed": 0}}')"#));
        let record = office.die_at(point);
        let runs: Vec<_> = record.runs.iter().map(|run| (run.id, run.state)).collect();
        assert_eq!(runs, [(id, RunState::Succeeded)], "{point}");
        let tasks: Vec<_> = record.tasks.iter().map(|task| task.state).collect();
        assert_eq!(tasks, [TaskState::Succeeded; 2], "{point}");
    }
}
