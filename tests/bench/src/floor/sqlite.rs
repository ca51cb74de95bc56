//! On SQLite, for one process: one table of waiting, running and done rows with a payload; `synchronous=FULL`;
//! prepared statements; one writer.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Statement};

use crate::measure::{percentile, rate};
use crate::{AT_ONCE, Result, STORED as PAYLOAD, on_runtime};

const SCHEMA: &str = "
    CREATE TABLE task (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, run INTEGER, step INTEGER, payload TEXT NOT NULL);
    CREATE INDEX task_waiting ON task (id) WHERE state = 0;
    CREATE TABLE run (id INTEGER PRIMARY KEY, done INTEGER NOT NULL, input TEXT NOT NULL, output TEXT);
";

/// The file is open as the store opens its own.
fn open(path: &str) -> Result<Connection> {
    let conn = Connection::open(path)?;
    conn.pragma_update(None, "page_size", 8192)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "cache_size", -16_384)?;
    conn.execute_batch(SCHEMA)?;
    Ok(conn)
}

/// `synchronous` and `journal_mode`, as the open connection has them.
pub(crate) fn pragmas(path: &str) -> Result<(i64, String)> {
    let conn = open(path)?;
    let synchronous = conn.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    let journal_mode = conn.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    Ok((synchronous, journal_mode))
}

/// The statements, prepared once.
struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    insert: Statement<'c>,
    waiting: Statement<'c>,
    claim: Statement<'c>,
    finish: Statement<'c>,
    insert_step: Statement<'c>,
    end_run: Statement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(conn: &'c Connection) -> Result<Self> {
        Ok(Self {
            begin: conn.prepare("BEGIN IMMEDIATE")?,
            commit: conn.prepare("COMMIT")?,
            insert: conn.prepare("INSERT INTO task (state, payload) VALUES (0, ?1)")?,
            waiting: conn.prepare("SELECT id, run, payload FROM task WHERE state = 0 ORDER BY id")?,
            claim: conn.prepare("UPDATE task SET state = 1 WHERE id = ?1 AND state = 0")?,
            finish: conn.prepare("UPDATE task SET state = 2 WHERE id = ?1 AND state = 1")?,
            insert_step: conn.prepare("INSERT INTO task (state, run, step, payload) VALUES (?1, ?2, ?3, ?4)")?,
            end_run: conn.prepare("UPDATE run SET done = 1, output = ?2 WHERE id = ?1")?,
        })
    }

    fn in_transaction<T>(&mut self, write: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.begin.execute([])?;
        let written = write(self)?;
        self.commit.execute([])?;
        Ok(written)
    }

    /// Claims up to `count` waiting tasks.
    fn claim(&mut self, count: usize) -> Result<Vec<Claimed>> {
        // Without a LIMIT: SQLite parses a statement again whenever another value is bound to its LIMIT.
        let rows = self
            .waiting
            .query_map([], |row| Ok(Claimed { id: row.get(0)?, run: row.get(1)?, payload: row.get(2)? }))?;
        let claimed = rows.take(count).collect::<std::result::Result<Vec<Claimed>, _>>()?;
        for task in &claimed {
            self.claim.execute([task.id])?;
        }
        Ok(claimed)
    }
}

struct Claimed {
    id: i64,
    run: Option<i64>,
    payload: String,
}

/// One task dispatches, and waits for each commit.
pub(crate) fn dispatch_one(path: &str, count: usize) -> Result<Vec<f64>> {
    let conn = open(path)?;
    let mut insert = conn.prepare("INSERT INTO task (state, payload) VALUES (0, ?1)")?;
    let begun = Instant::now();
    for _ in 0..count {
        insert.execute([PAYLOAD])?;
    }
    Ok(vec![rate(count, begun)])
}

/// 16 tasks dispatch, each waiting for its commits; the thread that writes commits together what is there.
pub(crate) fn dispatch_many(path: &str, count: usize) -> Result<Vec<f64>> {
    type Insert = (String, tokio::sync::oneshot::Sender<i64>);
    let conn = open(path)?;
    let (inserts, waiting) = mpsc::channel::<Insert>();
    let writer = std::thread::spawn(move || -> Result<()> {
        let mut statements = Statements::prepare(&conn)?;
        while let Ok(first) = waiting.recv() {
            let answers = statements.in_transaction(|statements| {
                let mut answers = Vec::with_capacity(AT_ONCE);
                for (payload, answer) in std::iter::once(first).chain(waiting.try_iter()) {
                    statements.insert.execute([payload])?;
                    answers.push((answer, conn.last_insert_rowid()));
                }
                Ok(answers)
            })?;
            for (answer, id) in answers {
                // The caller waits for it.
                let _ = answer.send(id);
            }
        }
        Ok(())
    });
    let rate = on_runtime(async move {
        let begun = Instant::now();
        let callers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let inserts = inserts.clone();
                tokio::spawn(async move {
                    for _ in 0..count / AT_ONCE {
                        let (answer, answered) = tokio::sync::oneshot::channel();
                        inserts.send((PAYLOAD.to_owned(), answer)).map_err(|_| "the writer is gone")?;
                        answered.await?;
                    }
                    Ok::<_, crate::Error>(())
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        Ok(rate(count, begun))
    })?;
    writer.join().map_err(|_| "the writer panicked")??;
    Ok(vec![rate])
}

/// Batches of 1,000 rows, a commit each.
pub(crate) fn dispatch_all(path: &str, count: usize) -> Result<Vec<f64>> {
    let conn = open(path)?;
    let mut statements = Statements::prepare(&conn)?;
    let begun = Instant::now();
    insert_waiting(&mut statements, count)?;
    Ok(vec![rate(count, begun)])
}

fn insert_waiting(statements: &mut Statements<'_>, count: usize) -> Result<()> {
    for begin in (0..count).step_by(crate::BATCH) {
        statements.in_transaction(|statements| {
            for _ in begin..(begin + crate::BATCH).min(count) {
                statements.insert.execute([PAYLOAD])?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Tasks that do nothing: each transaction finishes 16 and claims 16.
pub(crate) fn drain(path: &str, count: usize) -> Result<Vec<f64>> {
    let conn = open(path)?;
    let mut statements = Statements::prepare(&conn)?;
    insert_waiting(&mut statements, count)?;
    let begun = Instant::now();
    let mut running = Vec::new();
    loop {
        running = statements.in_transaction(|statements| {
            for task in &running {
                let Claimed { id, payload, .. } = task;
                std::hint::black_box(payload);
                statements.finish.execute([id])?;
            }
            statements.claim(AT_ONCE)
        })?;
        if running.is_empty() {
            break;
        }
    }
    let rate = rate(count, begun);
    crate::expect(&conn, "SELECT count(*) FROM task WHERE state = 2", count)?;
    Ok(vec![rate])
}

/// Runs of three steps, 16 at once: each transaction finishes a step of all 16 and inserts the next as claimed.
pub(crate) fn workflow(path: &str, count: usize) -> Result<Vec<f64>> {
    let conn = open(path)?;
    let mut statements = Statements::prepare(&conn)?;
    statements.in_transaction(|statements| {
        let mut insert = conn.prepare("INSERT INTO run (done, input) VALUES (0, ?1)")?;
        for _ in 0..count {
            insert.execute([PAYLOAD])?;
            statements.insert_step.execute((0, conn.last_insert_rowid(), 0, PAYLOAD))?;
        }
        Ok(())
    })?;
    let begun = Instant::now();
    let (mut running, mut step) = (Vec::new(), 2);
    loop {
        running = statements.in_transaction(|statements| {
            let mut next = Vec::with_capacity(AT_ONCE);
            for Claimed { id, run, payload } in running {
                statements.finish.execute([id])?;
                if step < 2 {
                    statements.insert_step.execute((1, run, step + 1, &payload))?;
                    next.push(Claimed { id: conn.last_insert_rowid(), run, payload });
                } else {
                    statements.end_run.execute((run, &payload))?;
                }
            }
            if next.is_empty() { statements.claim(AT_ONCE) } else { Ok(next) }
        })?;
        if running.is_empty() {
            break;
        }
        step = (step + 1) % 3;
    }
    let rate = rate(count, begun);
    crate::expect(&conn, "SELECT count(*) FROM task WHERE state = 2 AND step IS NOT NULL", 3 * count)?;
    crate::expect(&conn, "SELECT count(*) FROM run WHERE done", count)?;
    Ok(vec![rate])
}

/// From the call that dispatches to the start of the task, when nothing else happens: one commit that inserts,
/// one that claims. In milliseconds: the median, and what 99 of 100 do not exceed.
pub(crate) fn latency(path: &str, count: usize) -> Result<Vec<f64>> {
    let conn = open(path)?;
    let mut statements = Statements::prepare(&conn)?;
    let mut latencies = Vec::with_capacity(count);
    for _ in 0..count {
        std::thread::sleep(Duration::from_millis(2));
        let called = Instant::now();
        statements.insert.execute([PAYLOAD])?;
        let claimed = statements.in_transaction(|statements| statements.claim(1))?;
        latencies.push(called.elapsed().as_secs_f64() * 1e3);
        for task in claimed {
            statements.finish.execute([task.id])?;
        }
    }
    Ok(vec![percentile(&latencies, 0.5), percentile(&latencies, 0.99)])
}

/// The resident memory of this process while 16 tasks run and so many wait.
pub(crate) fn memory(path: &str, count: usize) -> Result<f64> {
    let conn = open(path)?;
    let mut statements = Statements::prepare(&conn)?;
    insert_waiting(&mut statements, count)?;
    let running = statements.in_transaction(|statements| statements.claim(AT_ONCE))?;
    let resident = crate::measure::resident()?;
    crate::expect(&conn, "SELECT count(*) FROM task WHERE state = 0", count - AT_ONCE)?;
    drop(running);
    Ok(resident)
}
