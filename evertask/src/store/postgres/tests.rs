//! What the suite can't see: outages, and what statements cost.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::PostgresStore;
use super::outage::PATIENCE;
use crate::id::{RunId, TaskId};
use crate::store::{
    Dispatched, Finished, Follow, Known, NewRun, NewTask, NewWork, Notes, OnKey, Selection, Settled, StepOf,
    Store as _, StoreError, Verdict,
};
use crate::testing::conformance::TestWorker;
use crate::testing::postgres::{Schema, Server};

mod kept;
mod limits;

fn task() -> NewTask {
    NewTask {
        id: TaskId::new(),
        name: "send".into(),
        queue: "default".into(),
        priority: 0,
        delay: Duration::ZERO,
        at: None,
        payload: b"{}".to_vec(),
        key: None,
        correlation: None,
        parent: None,
        of: None,
        cancel_routed: false,
        wait: None,
        visits: None,
        was: &[],
        terms: None,
    }
}

fn step(run: RunId, step: &'static str) -> NewTask {
    NewTask { of: Some(StepOf { run, workflow: "flow".into(), step: Some(step.into()) }), ..task() }
}

fn flow() -> NewRun {
    let id = RunId::new();
    NewRun {
        id,
        workflow: "flow".into(),
        version: 1,
        input: b"1".to_vec(),
        output: Some(b"1".to_vec()),
        key: None,
        correlation: Some("c".to_owned()),
        parent: None,
        timeout: Some(Duration::from_hours(1)),
        end_routed: false,
        first: step(id, "one"),
        step: None,
        fingerprint: 1,
        on_key: OnKey::Return,
    }
}

fn known() -> Known {
    let steps = ["one", "two"].map(str::to_owned).into_iter().collect();
    Known {
        tasks: ["send".to_owned()].into_iter().collect(),
        steps: [("flow".to_owned(), steps)].into_iter().collect(),
    }
}

fn succeeded(work: Vec<NewWork>) -> Verdict {
    Verdict::Succeeded { output: b"1".to_vec(), next: Follow { work, ..Follow::default() } }
}

pub(super) async fn add(store: &PostgresStore) -> Result<Vec<Dispatched>, StoreError> {
    store.dispatch(vec![NewWork::Task(task())]).await
}

#[tokio::test]
async fn an_outage_is_survived_and_callers_are_told() {
    let server = Server::start().unwrap();
    let store = std::sync::Arc::new(PostgresStore::open(&server.url()).await.unwrap());
    let mut worker = TestWorker::attach(store.clone(), "here", known()).await;
    add(&store).await.unwrap();
    let claim = worker.claim().await.claim;
    server.stop("fast").unwrap();

    // The first waits for a while, and from then on they are told at once.
    let begun = Instant::now();
    assert!(add(&store).await.unwrap_err().is_transient());
    assert!(begun.elapsed() < PATIENCE * 2, "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert!(add(&store).await.unwrap_err().is_transient());
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert!(store.task(claim.id).await.unwrap_err().is_transient());
    let finished = Finished { claim, verdict: succeeded(Vec::new()), notes: Notes::default() };
    store.settle(worker.id, vec![finished], Vec::new());
    let (finished, error) = worker.unsettled().await;
    assert!(error.is_transient());

    server.start_again().unwrap();
    let begun = Instant::now();
    while add(&store).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the database is back");
    }
    assert_eq!(worker.settle(finished, 0).await, [Settled::Committed]);
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_session_that_is_killed_is_not_noticed() {
    let server = Server::start().unwrap();
    let store = std::sync::Arc::new(PostgresStore::open(&server.url()).await.unwrap());
    let mut worker = TestWorker::attach(store.clone(), "here", known()).await;
    let mut conn = PgConnection::connect(&server.url()).await.unwrap();
    for _ in 0..10 {
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND \
                    backend_type = 'client backend'";
        sqlx::query(kill).execute(&mut conn).await.unwrap();
        add(&store).await.unwrap();
        let claim = worker.claim().await.claim;
        assert_eq!(worker.finish(claim, succeeded(Vec::new())).await, Settled::Committed);
    }
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn what_one_node_adds_another_hears_of() {
    let schema = Schema::new().unwrap();
    let (one, other) =
        (PostgresStore::open(schema.url()).await.unwrap(), PostgresStore::open(schema.url()).await.unwrap());
    let mut worker = TestWorker::attach(std::sync::Arc::new(one), "here", known()).await;
    worker.free(1);
    worker.beat().await;
    let id = add(&other).await.unwrap()[0].id;
    let claim = worker.next().await.claim;
    assert_eq!(claim.id.uuid(), id.uuid());
    // And of the end of it, and of what is to stop.
    assert_eq!(other.cancel(Selection::Ids(vec![id])).await.unwrap().len(), 1);
    assert_eq!(worker.told().await, claim);
    let ended = other.ended(id);
    assert_eq!(worker.finish(claim, succeeded(Vec::new())).await, Settled::Committed);
    ended.await.unwrap();
}

#[tokio::test]
async fn nodes_that_open_a_new_schema_at_once_make_it_once() {
    let schema = Schema::new().unwrap();
    let opening = (0..4).map(|_| {
        let url = schema.url().to_owned();
        tokio::spawn(async move { PostgresStore::open(&url).await.map(drop) })
    });
    for opened in opening.collect::<Vec<_>>() {
        opened.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_transaction_whose_answer_was_lost_is_read_back() {
    let schema = Schema::new().unwrap();
    let place = super::Place::parse(schema.url()).unwrap();
    drop(PostgresStore::open(schema.url()).await.unwrap());
    let node = uuid::Uuid::now_v7();
    let mut link = super::writer::open(&place, node, None).await.unwrap();
    link.begin().await.unwrap();
    link.script(format!("UPDATE node SET batch = 7 WHERE id = '{node}'; COMMIT")).await.unwrap();
    drop(link);
    // The next connection finds its number, and does not begin again.
    let mut link = super::writer::open(&place, node, None).await.unwrap();
    let row = link.one(sqlx::query(super::sql::LAST_BATCH).bind(node)).await.unwrap();
    assert_eq!(row.try_get::<i64, _>(0).unwrap(), 7);
}

#[tokio::test]
async fn what_has_ended_costs_nothing() {
    let schema = Schema::new().unwrap();
    let place = super::Place::parse(schema.url()).unwrap();
    drop(PostgresStore::open(schema.url()).await.unwrap());
    let mut conn = PgConnection::connect_with(&place.options).await.unwrap();
    let url = format!("{}&application_name={}", schema.url(), place.schema);
    fill(&mut conn, &place, 20_000).await;
    let before = scans(&mut conn, &place.schema).await;

    let store = std::sync::Arc::new(PostgresStore::open(&url).await.unwrap());
    let mut worker = TestWorker::attach(store.clone(), "here", known()).await;
    for round in 0..10 {
        let run = flow();
        let id = run.id;
        let keyed = NewTask { key: Some(format!("k{round}")), correlation: Some("d".to_owned()), ..task() };
        let late = NewTask { delay: Duration::from_hours(1), ..task() };
        let work = vec![NewWork::Run(Box::new(run)), NewWork::Task(keyed), NewWork::Task(late)];
        store.dispatch(work).await.unwrap();
        worker.free(2);
        for claimed in worker.take(2).await {
            let work = if claimed.of.is_some() { vec![NewWork::Task(step(id, "two"))] } else { Vec::new() };
            assert_eq!(worker.finish(claimed.claim, succeeded(work)).await, Settled::Committed);
        }
        worker.beat().await;
        store.signal(id, "two".to_owned(), &[], b"1".to_vec()).await.unwrap();
        assert!(store.pause(id).await.unwrap() && store.resume(id).await.unwrap());
        store.cancel(Selection::Correlation("c".to_owned())).await.unwrap();
        store.cancel(Selection::Name("send".to_owned())).await.unwrap();
        assert_eq!(store.expire_runs().await.unwrap(), []);
    }
    store.close().await.unwrap();
    drop(worker);
    drop(store);
    sessions_have_ended(&mut conn, &place.schema).await;
    assert_eq!(scans(&mut conn, &place.schema).await, before, "(tasks, runs) were looked through from end to end");
    sqlx::query("SELECT count(*) FROM task WHERE state = 'none'").execute(&mut conn).await.unwrap();
    assert_ne!(scans(&mut conn, &place.schema).await, before, "they are counted");
}

/// So many tasks have succeeded, at the beginning of time.
async fn fill(conn: &mut PgConnection, place: &super::Place, tasks: u64) {
    let fill = format!(
        "SET search_path = {}; \
         INSERT INTO task (id, name, queue, priority, state, run_at, rank, fence, cancel_routed, created_at, finished_at, \
                           payload, output, correlation, slot, slots) \
         SELECT gen_random_uuid(), 'send', 'default', 0, 'succeeded', 0, 0, 1, FALSE, 0, 0, '', '', 'o' || i, 'b', 1 \
         FROM generate_series(1, {tasks}) AS i",
        place.quoted_schema()
    );
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(conn).await.unwrap();
}

/// A session counts when it has ended.
async fn sessions_have_ended(conn: &mut PgConnection, name: &str) {
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    while sqlx::query(sessions).bind(name).fetch_one(&mut *conn).await.unwrap().get::<i64, _>(0) > 0 {
        tokio::task::yield_now().await;
    }
}

/// How often the tables of tasks and of runs were read from end to end, by sessions that have ended.
async fn scans(conn: &mut PgConnection, schema: &str) -> (i64, i64) {
    let count = "SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot(), \
                 (SELECT seq_scan FROM pg_stat_all_tables WHERE schemaname = $1 AND relname = 'task'), \
                 (SELECT seq_scan FROM pg_stat_all_tables WHERE schemaname = $1 AND relname = 'run')";
    sqlx::query(count).bind(schema).fetch_one(&mut *conn).await.unwrap();
    let row = sqlx::query(count).bind(schema).fetch_one(&mut *conn).await.unwrap();
    (row.get(2), row.get(3))
}
