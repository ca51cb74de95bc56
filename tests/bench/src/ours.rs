//! The same through evertask: dispatcher, worker, workflow.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use evertask::store::{RunFilter, RunState, SqliteStore, TaskFilter, TaskState};
use evertask::{Dispatcher, Queue, SystemClock, Worker};
use tokio::sync::mpsc;

use crate::children::Child;
use crate::measure::{percentile, rate};
use crate::tasks::{Probe, ThreeSteps, hold, noop, ping};
use crate::{AT_ONCE, BATCH, LOAD, PAYLOAD, PINGS_EACH, Result, WIDE, on_runtime};

/// Opens a file, or a schema by its URL.
fn open(place: &str) -> Result<Dispatcher> {
    if place.starts_with("postgres") {
        let url = place.to_owned();
        return on_runtime(async move { Ok(Dispatcher::open(&url).await?) });
    }
    let clock = Arc::new(SystemClock);
    Ok(Dispatcher::with_store(Arc::new(SqliteStore::open(Path::new(place), clock.clone())?), clock))
}

/// `synchronous` and `journal_mode`, as the open connection has them.
pub(crate) fn pragmas(path: &str) -> Result<(i64, String)> {
    let store = SqliteStore::open(Path::new(path), Arc::new(SystemClock))?;
    let pragmas = on_runtime(async move { Ok(store.pragmas().await?) })?;
    Ok((pragmas.synchronous, pragmas.journal_mode))
}

/// One task dispatches, and waits for each commit.
pub(crate) fn dispatch_one(place: &str, count: usize) -> Result<Vec<f64>> {
    let dispatcher = open(place)?;
    on_runtime(async move {
        let begun = Instant::now();
        for _ in 0..count {
            dispatcher.dispatch(noop { text: PAYLOAD.to_owned() }).await?;
        }
        Ok(vec![rate(count, begun)])
    })
}

/// 16 tasks dispatch, each waiting for its commits.
pub(crate) fn dispatch_many(place: &str, count: usize) -> Result<Vec<f64>> {
    let dispatcher = open(place)?;
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
pub(crate) fn dispatch_all(place: &str, count: usize) -> Result<Vec<f64>> {
    let dispatcher = open(place)?;
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

async fn worker(dispatcher: &Dispatcher, probe: Arc<Probe>, at_once: usize) -> Result<Worker> {
    let queue = Queue::new().concurrency(u32::try_from(at_once)?);
    Ok(dispatcher.worker().data_dyn(probe).queue("default", queue).start().await?)
}

/// Tasks that do nothing, 16 at once, until the last is done and that is on disk.
pub(crate) fn drain(place: &str, count: usize) -> Result<Vec<f64>> {
    drain_with(place, count, AT_ONCE)
}

/// The same, a hundred at once.
pub(crate) fn drain_wide(place: &str, count: usize) -> Result<Vec<f64>> {
    drain_with(place, count, WIDE)
}

fn drain_with(place: &str, count: usize, at_once: usize) -> Result<Vec<f64>> {
    let dispatcher = open(place)?;
    let rate = on_runtime(async move {
        add_waiting(&dispatcher, count).await?;
        run_all(dispatcher, count, at_once).await
    })?;
    expect_ended(place, count, 0)?;
    Ok(vec![rate])
}

/// Runs of three steps, 16 at once, until the last has ended and that is on disk.
pub(crate) fn workflow(place: &str, count: usize) -> Result<Vec<f64>> {
    let dispatcher = open(place)?;
    let rate = on_runtime(async move {
        dispatcher.dispatch_all((0..count).map(|_| ThreeSteps(PAYLOAD.to_owned()))).await?;
        run_all(dispatcher, count, AT_ONCE).await
    })?;
    expect_ended(place, 3 * count, count)?;
    Ok(vec![rate])
}

/// So many tasks, and runs, have succeeded, as a store says that is opened anew.
fn expect_ended(place: &str, tasks: usize, runs: usize) -> Result<()> {
    let dispatcher = open(place)?;
    let all = u32::try_from(i32::MAX)?;
    let found = on_runtime(async move {
        let tasks = dispatcher.list(TaskFilter::new().state(TaskState::Succeeded).limit(all)).await?;
        let runs = dispatcher.list_runs(RunFilter::new().state(RunState::Succeeded).limit(all)).await?;
        Ok((tasks.len(), runs.len()))
    })?;
    if found == (tasks, runs) { Ok(()) } else { Err(format!("{found:?} have succeeded of {:?}", (tasks, runs)).into()) }
}

async fn run_all(dispatcher: Dispatcher, count: usize, at_once: usize) -> Result<f64> {
    let (probe, _) = Probe::new(count);
    let begun = Instant::now();
    let worker = worker(&dispatcher, probe.clone(), at_once).await?;
    probe.none_left.notified().await;
    worker.shutdown().await;
    let rate = rate(count, begun);
    dispatcher.close().await?;
    Ok(rate)
}

/// From the call that dispatches to the start of the handler, when nothing else happens. In milliseconds: the
/// median, and what 99 of 100 do not exceed.
pub(crate) fn latency(place: &str, count: usize) -> Result<Vec<f64>> {
    let dispatcher = open(place)?;
    on_runtime(async move {
        let (probe, mut starts) = Probe::new(0);
        let worker = worker(&dispatcher, probe, AT_ONCE).await?;
        let latencies = pings(&dispatcher, &mut starts, count).await?;
        worker.shutdown().await;
        Ok(latencies)
    })
}

/// The same when nothing else happens, and beside 1,000 tasks a second, in tables with so many finished tasks.
pub(crate) fn latency_beside(place: &str, finished: usize) -> Result<Vec<f64>> {
    let dispatcher = open(place)?;
    let place = place.to_owned();
    on_runtime(async move {
        let (probe, mut starts) = Probe::new(0);
        let worker = worker(&dispatcher, probe, AT_ONCE).await?;
        pings(&dispatcher, &mut starts, 1).await?;
        crate::floor::postgres::multiply(&place, finished).await?;
        let mut latencies = pings(&dispatcher, &mut starts, PINGS_EACH).await?;
        let beside = tokio::spawn(load(dispatcher.clone()));
        latencies.extend(pings(&dispatcher, &mut starts, PINGS_EACH).await?);
        beside.abort();
        worker.shutdown().await;
        Ok(latencies)
    })
}

async fn pings(
    dispatcher: &Dispatcher,
    starts: &mut mpsc::UnboundedReceiver<Instant>,
    count: usize,
) -> Result<Vec<f64>> {
    let mut latencies = Vec::with_capacity(count);
    for _ in 0..count {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let called = Instant::now();
        dispatcher.dispatch(ping { text: PAYLOAD.to_owned() }).await?;
        let started = starts.recv().await.ok_or("the task has not started")?;
        latencies.push(started.duration_since(called).as_secs_f64() * 1e3);
    }
    Ok(vec![percentile(&latencies, 0.5), percentile(&latencies, 0.99)])
}

/// Dispatches 1,000 tasks a second.
async fn load(dispatcher: Dispatcher) -> Result<()> {
    let mut pace = tokio::time::interval(LOAD);
    loop {
        pace.tick().await;
        dispatcher.dispatch(noop { text: PAYLOAD.to_owned() }).await?;
    }
}

/// Tasks that do nothing, by one worker process of 16 slots.
pub(crate) fn drain_by_one(place: &str, count: usize) -> Result<Vec<f64>> {
    drain_by(place, count, 1)
}

/// By two.
pub(crate) fn drain_by_two(place: &str, count: usize) -> Result<Vec<f64>> {
    drain_by(place, count, 2)
}

/// By three.
pub(crate) fn drain_by_three(place: &str, count: usize) -> Result<Vec<f64>> {
    drain_by(place, count, 3)
}

fn drain_by(place: &str, count: usize, workers: usize) -> Result<Vec<f64>> {
    let dispatcher = open(place)?;
    on_runtime(async move { add_waiting(&dispatcher, count).await })?;
    let mut workers = (0..workers).map(|_| Child::start(place)).collect::<Result<Vec<_>>>()?;
    for worker in &mut workers {
        worker.is_ready()?;
    }
    let begun = Instant::now();
    for worker in &mut workers {
        worker.go()?;
    }
    let done = Arc::new(AtomicUsize::new(0));
    let hearers: Vec<_> = workers.iter_mut().map(|worker| worker.count(&done)).collect::<Result<_>>()?;
    while done.load(Ordering::Relaxed) < count {
        std::thread::sleep(Duration::from_millis(1));
    }
    for worker in workers {
        worker.end()?;
    }
    let rate = rate(count, begun);
    for hearer in hearers {
        hearer.join().map_err(|_| "a thread panicked")??;
    }
    expect_ended(place, count, 0)?;
    Ok(vec![rate])
}

/// The resident memory of this process while 16 tasks run and so many wait.
pub(crate) fn memory(place: &str, count: usize) -> Result<f64> {
    let dispatcher = open(place)?;
    let place = place.to_owned();
    on_runtime(async move {
        for begin in (0..count).step_by(BATCH) {
            let hold = (begin..(begin + BATCH).min(count)).map(|_| hold { text: PAYLOAD.to_owned() });
            dispatcher.dispatch_all(hold).await?;
        }
        let (probe, _) = Probe::new(AT_ONCE);
        let worker = worker(&dispatcher, probe.clone(), AT_ONCE).await?;
        probe.none_left.notified().await;
        let resident = crate::measure::resident()?;
        let conn = rusqlite::Connection::open(place)?;
        crate::expect(&conn, "SELECT count(*) FROM task WHERE state = 'ready'", count - AT_ONCE)?;
        drop(worker);
        Ok(resident)
    })
}

/// One worker of several: it says that it is there, begins when it is told, says how many tasks have started, and
/// ends when its input does.
pub(crate) fn worker_child(place: &str) -> Result<()> {
    let dispatcher = open(place)?;
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let ended = std::thread::spawn(|| std::io::stdin().read_line(&mut String::new()));
    on_runtime(async move {
        let (probe, _) = Probe::new(0);
        let worker = worker(&dispatcher, probe.clone(), AT_ONCE).await?;
        let mut said = 0;
        while !ended.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let done = probe.done();
            if done > said {
                println!("{}", done - said);
                said = done;
            }
        }
        worker.shutdown().await;
        Ok(())
    })
}
