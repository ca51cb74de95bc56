//! On PostgreSQL: one table, claims in batches by SKIP LOCKED, finishes in batches by `unnest`, both in one statement
//! and so in one round trip and one commit. Several workers may share it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _, Row as _};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::measure::{percentile, rate};
use crate::{AT_ONCE, BATCH, LOAD, PINGS_EACH, Result, STORED as PAYLOAD, on_runtime};

const SCHEMA: &str = "
    CREATE TABLE task (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state smallint NOT NULL, run bigint, step smallint,
        payload text NOT NULL
    );
    CREATE INDEX task_waiting ON task (id) WHERE state = 0;
    CREATE TABLE run (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, done boolean NOT NULL, input text NOT NULL, output text
    );
";

const INSERT: &str = "INSERT INTO task (state, payload) VALUES (0, $1) RETURNING id";
const INSERT_ALL: &str = "INSERT INTO task (state, payload) SELECT 0, * FROM unnest($1::text[]) RETURNING id";

/// Finishes these, and claims so many.
const NEXT: &str = "
    WITH done AS (
        UPDATE task SET state = 2 FROM unnest($1::bigint[]) AS ended (id) WHERE task.id = ended.id AND state = 1
    ), next AS (
        SELECT id FROM task WHERE state = 0 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    UPDATE task SET state = 1 FROM next WHERE task.id = next.id RETURNING task.id, task.run, task.payload";

/// Finishes these steps, and inserts the ones that follow as claimed.
const STEP: &str = "
    WITH done AS (
        UPDATE task SET state = 2 FROM unnest($1::bigint[]) AS ended (id) WHERE task.id = ended.id AND state = 1
    )
    INSERT INTO task (state, run, step, payload)
    SELECT 1, run, $2, payload FROM unnest($3::bigint[], $4::text[]) AS next (run, payload)
    RETURNING id, run, payload";

/// Finishes the last steps and their runs, and claims the first steps of others.
const END: &str = "
    WITH done AS (
        UPDATE task SET state = 2 FROM unnest($1::bigint[]) AS ended (id) WHERE task.id = ended.id AND state = 1
    ), ended AS (
        UPDATE run SET done = true, output = ended.output
        FROM unnest($2::bigint[], $3::text[]) AS ended (id, output) WHERE run.id = ended.id
    ), next AS (
        SELECT id FROM task WHERE state = 0 ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED
    )
    UPDATE task SET state = 1 FROM next WHERE task.id = next.id RETURNING task.id, task.run, task.payload";

struct Claimed {
    id: i64,
    run: Option<i64>,
    payload: String,
}

/// The URL without what says the schema, and the schema.
fn parts(place: &str) -> Result<(&str, &str)> {
    let (server, schema) = place.split_once("schema=").ok_or("the URL says no schema")?;
    Ok((server.trim_end_matches(['&', '?']), schema))
}

async fn connect(place: &str) -> Result<PgConnection> {
    let (server, schema) = parts(place)?;
    let mut conn = PgConnection::connect(server).await?;
    conn.execute(sqlx::AssertSqlSafe(format!("SET search_path = {schema}"))).await?;
    Ok(conn)
}

/// Makes the tables, and connects.
async fn create(place: &str) -> Result<PgConnection> {
    let (_, schema) = parts(place)?;
    let mut conn = connect(place).await?;
    conn.execute(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await?;
    conn.execute(SCHEMA).await?;
    Ok(conn)
}

/// Removes the schema and all that is in it.
pub(crate) fn remove(place: &str) -> Result<()> {
    let place = place.to_owned();
    on_runtime(async move {
        let (server, schema) = parts(&place)?;
        let mut conn = PgConnection::connect(server).await?;
        conn.execute(sqlx::AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE"))).await?;
        Ok(())
    })
}

/// `synchronous_commit` and `fsync`, as an open connection has them.
pub(crate) fn settings(place: &str) -> Result<String> {
    let place = place.to_owned();
    on_runtime(async move {
        let mut conn = connect(&place).await?;
        let row = sqlx::query("SELECT current_setting('synchronous_commit'), current_setting('fsync')")
            .fetch_one(&mut conn)
            .await?;
        Ok(format!("synchronous_commit = {}, fsync = {}", row.get::<String, _>(0), row.get::<String, _>(1)))
    })
}

/// One task dispatches, and waits for each commit.
pub(crate) fn dispatch_one(place: &str, count: usize) -> Result<Vec<f64>> {
    let place = place.to_owned();
    on_runtime(async move {
        let mut conn = create(&place).await?;
        let begun = Instant::now();
        for _ in 0..count {
            sqlx::query(INSERT).bind(PAYLOAD).execute(&mut conn).await?;
        }
        Ok(vec![rate(count, begun)])
    })
}

/// 16 tasks dispatch, each waiting for its commits; the task that writes commits together what is there.
pub(crate) fn dispatch_many(place: &str, count: usize) -> Result<Vec<f64>> {
    type Insert = (String, oneshot::Sender<i64>);
    let place = place.to_owned();
    on_runtime(async move {
        let mut conn = create(&place).await?;
        let (inserts, mut waiting) = mpsc::channel::<Insert>(AT_ONCE);
        let writer = tokio::spawn(async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, BATCH).await > 0 {
                let (payloads, answers): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
                let rows = sqlx::query(INSERT_ALL).bind(payloads).fetch_all(&mut conn).await?;
                for (row, answer) in rows.iter().zip(answers) {
                    // The caller waits for it.
                    let _ = answer.send(row.get(0));
                }
            }
            Ok::<_, crate::Error>(())
        });
        let begun = Instant::now();
        let callers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let inserts = inserts.clone();
                tokio::spawn(async move {
                    for _ in 0..count / AT_ONCE {
                        let (answer, answered) = oneshot::channel();
                        inserts.send((PAYLOAD.to_owned(), answer)).await.map_err(|_| "the writer is gone")?;
                        answered.await?;
                    }
                    Ok::<_, crate::Error>(())
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        let rate = rate(count, begun);
        drop(inserts);
        writer.await??;
        Ok(vec![rate])
    })
}

/// Batches of 1,000 rows, a commit each.
pub(crate) fn dispatch_all(place: &str, count: usize) -> Result<Vec<f64>> {
    let place = place.to_owned();
    on_runtime(async move {
        let mut conn = create(&place).await?;
        let begun = Instant::now();
        insert_waiting(&mut conn, count).await?;
        Ok(vec![rate(count, begun)])
    })
}

async fn insert_waiting(conn: &mut PgConnection, count: usize) -> Result<()> {
    for begin in (0..count).step_by(BATCH) {
        sqlx::query(INSERT_ALL).bind(vec![PAYLOAD; BATCH.min(count - begin)]).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Finishes `ended`, and claims `count`.
async fn next(conn: &mut PgConnection, ended: &[Claimed], count: usize) -> Result<Vec<Claimed>> {
    let ended: Vec<_> = ended.iter().map(|task| task.id).collect();
    let rows = sqlx::query(NEXT).bind(ended).bind(i64::try_from(count)?).fetch_all(conn).await?;
    Ok(claimed(&rows))
}

fn claimed(rows: &[sqlx::postgres::PgRow]) -> Vec<Claimed> {
    rows.iter().map(|row| Claimed { id: row.get(0), run: row.get(1), payload: row.get(2) }).collect()
}

/// Tasks that do nothing, 16 at once.
pub(crate) fn drain(place: &str, count: usize) -> Result<Vec<f64>> {
    drain_by(place, count, 1, AT_ONCE)
}

/// The same, a hundred at once.
pub(crate) fn drain_wide(place: &str, count: usize) -> Result<Vec<f64>> {
    drain_by(place, count, 1, crate::WIDE)
}

/// The same by two workers, with a connection each.
pub(crate) fn drain_by_two(place: &str, count: usize) -> Result<Vec<f64>> {
    drain_by(place, count, 2, AT_ONCE)
}

/// The same by three.
pub(crate) fn drain_by_three(place: &str, count: usize) -> Result<Vec<f64>> {
    drain_by(place, count, 3, AT_ONCE)
}

fn drain_by(place: &str, count: usize, workers: usize, at_once: usize) -> Result<Vec<f64>> {
    let place = place.to_owned();
    on_runtime(async move {
        let mut conn = create(&place).await?;
        insert_waiting(&mut conn, count).await?;
        let mut conns = Vec::new();
        for _ in 0..workers {
            conns.push(connect(&place).await?);
        }
        let begun = Instant::now();
        let workers: Vec<_> = conns
            .into_iter()
            .map(|mut conn| {
                tokio::spawn(async move {
                    let mut running = Vec::new();
                    loop {
                        running = next(&mut conn, &running, at_once).await?;
                        if running.is_empty() {
                            return Ok::<_, crate::Error>(());
                        }
                        std::hint::black_box(&running);
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await??;
        }
        let rate = rate(count, begun);
        expect(&mut conn, "SELECT count(*) FROM task WHERE state = 2", count).await?;
        Ok(vec![rate])
    })
}

/// Runs of three steps, 16 at once: each statement finishes a step of all 16 and inserts the next as claimed.
pub(crate) fn workflow(place: &str, count: usize) -> Result<Vec<f64>> {
    let place = place.to_owned();
    on_runtime(async move {
        let mut conn = create(&place).await?;
        sqlx::query(
            "WITH begun AS (
                 INSERT INTO run (done, input) SELECT false, $1 FROM generate_series(1, $2) RETURNING id, input
             )
             INSERT INTO task (state, run, step, payload) SELECT 0, id, 0, input FROM begun",
        )
        .bind(PAYLOAD)
        .bind(i64::try_from(count)?)
        .execute(&mut conn)
        .await?;
        let begun = Instant::now();
        let mut running = next(&mut conn, &[], AT_ONCE).await?;
        while !running.is_empty() {
            for step in [1_i16, 2] {
                let (ids, runs, payloads) = columns(running);
                let query = sqlx::query(STEP).bind(ids).bind(step).bind(runs).bind(payloads);
                running = claimed(&query.fetch_all(&mut conn).await?);
            }
            let (ids, runs, payloads) = columns(running);
            let query = sqlx::query(END).bind(ids).bind(runs).bind(payloads).bind(i64::try_from(AT_ONCE)?);
            running = claimed(&query.fetch_all(&mut conn).await?);
        }
        let rate = rate(count, begun);
        expect(&mut conn, "SELECT count(*) FROM task WHERE state = 2 AND step IS NOT NULL", 3 * count).await?;
        expect(&mut conn, "SELECT count(*) FROM run WHERE done", count).await?;
        Ok(vec![rate])
    })
}

fn columns(tasks: Vec<Claimed>) -> (Vec<i64>, Vec<Option<i64>>, Vec<String>) {
    let (mut ids, mut runs, mut payloads) = (Vec::new(), Vec::new(), Vec::new());
    for task in tasks {
        ids.push(task.id);
        runs.push(task.run);
        payloads.push(task.payload);
    }
    (ids, runs, payloads)
}

async fn expect(conn: &mut PgConnection, count: &str, expected: usize) -> Result<()> {
    let found: i64 = sqlx::query(sqlx::AssertSqlSafe(count)).fetch_one(conn).await?.get(0);
    if found == i64::try_from(expected)? { Ok(()) } else { Err(format!("{count}: {found}, not {expected}").into()) }
}

/// From the call that dispatches to the start of the task: when nothing else happens, and beside 1,000 tasks a
/// second. A worker with a connection of its own is woken within the process.
pub(crate) fn latency(place: &str, finished: usize) -> Result<Vec<f64>> {
    let place = place.to_owned();
    on_runtime(async move {
        let mut conn = create(&place).await?;
        sqlx::query("INSERT INTO task (state, payload) SELECT 2, $1 FROM generate_series(1, $2)")
            .bind(PAYLOAD)
            .bind(i64::try_from(finished)?)
            .execute(&mut conn)
            .await?;
        conn.execute("VACUUM ANALYZE task").await?;
        let (news, (starts, mut started)) = (Arc::new(Notify::new()), mpsc::unbounded_channel());
        let worker = tokio::spawn(work(connect(&place).await?, news.clone(), starts));
        let mut figures = Vec::new();
        for loaded in [false, true] {
            let load = if loaded { Some(tokio::spawn(load(connect(&place).await?, news.clone()))) } else { None };
            let mut latencies = Vec::with_capacity(PINGS_EACH);
            for _ in 0..PINGS_EACH {
                tokio::time::sleep(Duration::from_millis(2)).await;
                let called = Instant::now();
                let id: i64 = sqlx::query(INSERT).bind(PAYLOAD).fetch_one(&mut conn).await?.get(0);
                news.notify_one();
                let at = loop {
                    let (ids, at): (HashSet<i64>, Instant) = started.recv().await.ok_or("the worker has ended")?;
                    if ids.contains(&id) {
                        break at;
                    }
                };
                latencies.push(at.duration_since(called).as_secs_f64() * 1e3);
            }
            if let Some(load) = load {
                load.abort();
            }
            figures.extend([percentile(&latencies, 0.5), percentile(&latencies, 0.99)]);
        }
        worker.abort();
        Ok(figures)
    })
}

/// So many copies of a finished task of evertask's are added to its table.
pub(crate) async fn multiply(place: &str, count: usize) -> Result<()> {
    let mut conn = connect(place).await?;
    let template = "SELECT EXISTS (SELECT FROM task WHERE state = 'succeeded')";
    while !sqlx::query(template).fetch_one(&mut conn).await?.get::<bool, _>(0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sqlx::query(
        "INSERT INTO task OVERRIDING SYSTEM VALUE
         SELECT copy.* FROM (SELECT * FROM task WHERE state = 'succeeded' LIMIT 1) AS one, generate_series(1, $1) AS n,
                LATERAL jsonb_populate_record(one::task, jsonb_build_object('id', md5(n::text)::uuid)) AS copy",
    )
    .bind(i64::try_from(count)?)
    .execute(&mut conn)
    .await?;
    conn.execute("VACUUM ANALYZE task").await?;
    Ok(())
}

/// Claims and finishes whenever there is news, and says what it claimed when.
async fn work(
    mut conn: PgConnection,
    news: Arc<Notify>,
    starts: mpsc::UnboundedSender<(HashSet<i64>, Instant)>,
) -> Result<()> {
    loop {
        news.notified().await;
        let mut running = Vec::new();
        loop {
            running = next(&mut conn, &running, AT_ONCE).await?;
            if running.is_empty() {
                break;
            }
            starts.send((running.iter().map(|task| task.id).collect(), Instant::now()))?;
        }
    }
}

/// Dispatches 1,000 tasks a second.
async fn load(mut conn: PgConnection, news: Arc<Notify>) -> Result<()> {
    let mut pace = tokio::time::interval(LOAD);
    loop {
        pace.tick().await;
        sqlx::query(INSERT).bind(PAYLOAD).execute(&mut conn).await?;
        news.notify_one();
    }
}
