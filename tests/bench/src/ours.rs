//! The same through evertask: dispatcher, worker, workflow.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evertask::store::{RunFilter, RunState, SqliteStore, TaskFilter, TaskState};
use evertask::{Dispatcher, Queue, SystemClock, Worker};

use crate::measure::{percentile, rate};
use crate::tasks::{Probe, ThreeSteps, hold, noop, ping};
use crate::{AT_ONCE, BATCH, PAYLOAD, Result, on_runtime};

/// The environment variable that names a PostgreSQL server to measure on, instead of a SQLite file. The floor stays
/// SQLite's.
const POSTGRES: &str = "EVERTASK_BENCH_POSTGRES";

fn open(path: &Path) -> Result<Dispatcher> {
    if let Ok(url) = std::env::var(POSTGRES) {
        // As many schemas as there are files.
        let name: String = path.display().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{separator}schema=b{}", &name[name.len().saturating_sub(60)..]);
        return on_runtime(async move { Ok(Dispatcher::open(&url).await?) });
    }
    let clock = Arc::new(SystemClock);
    Ok(Dispatcher::with_store(Arc::new(SqliteStore::open(path, clock.clone())?), clock))
}

/// `synchronous` and `journal_mode`, as the open connection has them.
pub(crate) fn pragmas(path: &Path) -> Result<(i64, String)> {
    let store = SqliteStore::open(path, Arc::new(SystemClock))?;
    let pragmas = on_runtime(async move { Ok(store.pragmas().await?) })?;
    Ok((pragmas.synchronous, pragmas.journal_mode))
}

/// One task dispatches, and waits for each commit.
pub(crate) fn dispatch_one(path: &Path, count: usize) -> Result<Vec<f64>> {
    let dispatcher = open(path)?;
    on_runtime(async move {
        let begun = Instant::now();
        for _ in 0..count {
            dispatcher.dispatch(noop { text: PAYLOAD.to_owned() }).await?;
        }
        Ok(vec![rate(count, begun)])
    })
}

/// 16 tasks dispatch, each waiting for its commits.
pub(crate) fn dispatch_many(path: &Path, count: usize) -> Result<Vec<f64>> {
    let dispatcher = open(path)?;
    on_runtime(async move {
        let begun = Instant::now();
        let callers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let dispatcher = dispatcher.clone();
                tokio::spawn(async move {
                    for _ in 0..count / AT_ONCE {
                        dispatcher.dispatch(noop { text: PAYLOAD.to_owned() }).await?;
                    }
                    Ok::<_, crate::Error>(())
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        Ok(vec![rate(count, begun)])
    })
}

/// Batches of 1,000, a commit each.
pub(crate) fn dispatch_all(path: &Path, count: usize) -> Result<Vec<f64>> {
    let dispatcher = open(path)?;
    on_runtime(async move {
        let begun = Instant::now();
        add_waiting(&dispatcher, count).await?;
        Ok(vec![rate(count, begun)])
    })
}

async fn add_waiting(dispatcher: &Dispatcher, count: usize) -> Result<()> {
    for begin in (0..count).step_by(BATCH) {
        dispatcher.dispatch_all((begin..(begin + BATCH).min(count)).map(|_| noop { text: PAYLOAD.to_owned() })).await?;
    }
    Ok(())
}

async fn worker(dispatcher: &Dispatcher, probe: Arc<Probe>) -> Result<Worker> {
    let queue = Queue::new().concurrency(u32::try_from(AT_ONCE)?);
    Ok(dispatcher.worker().data_dyn(probe).queue("default", queue).start().await?)
}

/// Tasks that do nothing, until the last is done and that is on disk.
pub(crate) fn drain(path: &Path, count: usize) -> Result<Vec<f64>> {
    let dispatcher = open(path)?;
    let rate = on_runtime(async move {
        add_waiting(&dispatcher, count).await?;
        run_all(dispatcher, count).await
    })?;
    expect_ended(path, count, 0)?;
    Ok(vec![rate])
}

/// Runs of three steps, 16 at once, until the last has ended and that is on disk.
pub(crate) fn workflow(path: &Path, count: usize) -> Result<Vec<f64>> {
    let dispatcher = open(path)?;
    let rate = on_runtime(async move {
        dispatcher.dispatch_all((0..count).map(|_| ThreeSteps(PAYLOAD.to_owned()))).await?;
        run_all(dispatcher, count).await
    })?;
    expect_ended(path, 3 * count, count)?;
    Ok(vec![rate])
}

/// So many tasks, and runs, have succeeded, as a store says that is opened anew.
fn expect_ended(path: &Path, tasks: usize, runs: usize) -> Result<()> {
    let dispatcher = open(path)?;
    let all = u32::try_from(i32::MAX)?;
    let found = on_runtime(async move {
        let tasks = dispatcher.list(TaskFilter::new().state(TaskState::Succeeded).limit(all)).await?;
        let runs = dispatcher.list_runs(RunFilter::new().state(RunState::Succeeded).limit(all)).await?;
        Ok((tasks.len(), runs.len()))
    })?;
    if found == (tasks, runs) { Ok(()) } else { Err(format!("{found:?} have succeeded of {:?}", (tasks, runs)).into()) }
}

async fn run_all(dispatcher: Dispatcher, count: usize) -> Result<f64> {
    let (probe, _) = Probe::new(count);
    let begun = Instant::now();
    let worker = worker(&dispatcher, probe.clone()).await?;
    probe.none_left.notified().await;
    worker.shutdown().await;
    let rate = rate(count, begun);
    dispatcher.close().await?;
    Ok(rate)
}

/// From the call that dispatches to the start of the handler, when nothing else happens. In milliseconds: the
/// median, and what 99 of 100 do not exceed.
pub(crate) fn latency(path: &Path, count: usize) -> Result<Vec<f64>> {
    let dispatcher = open(path)?;
    on_runtime(async move {
        let (probe, mut starts) = Probe::new(0);
        let worker = worker(&dispatcher, probe).await?;
        let mut latencies = Vec::with_capacity(count);
        for _ in 0..count {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let called = Instant::now();
            dispatcher.dispatch(ping { text: PAYLOAD.to_owned() }).await?;
            let started = starts.recv().await.ok_or("the task has not started")?;
            latencies.push(started.duration_since(called).as_secs_f64() * 1e3);
        }
        worker.shutdown().await;
        Ok(vec![percentile(&latencies, 0.5), percentile(&latencies, 0.99)])
    })
}

/// The resident memory of this process while 16 tasks run and so many wait.
pub(crate) fn memory(path: &Path, count: usize) -> Result<f64> {
    let dispatcher = open(path)?;
    let place = path.to_owned();
    on_runtime(async move {
        for begin in (0..count).step_by(BATCH) {
            let hold = (begin..(begin + BATCH).min(count)).map(|_| hold { text: PAYLOAD.to_owned() });
            dispatcher.dispatch_all(hold).await?;
        }
        let (probe, _) = Probe::new(AT_ONCE);
        let worker = worker(&dispatcher, probe.clone()).await?;
        probe.none_left.notified().await;
        let resident = crate::measure::resident()?;
        let conn = rusqlite::Connection::open(place)?;
        crate::expect(&conn, "SELECT count(*) FROM task WHERE state = 'ready'", count - AT_ONCE)?;
        drop(worker);
        Ok(resident)
    })
}
