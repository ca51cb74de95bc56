//! Calls of a store that are dropped half way, on a slow connection: no transaction stays open for that.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use evertask::prelude::*;
use evertask::store::{Selection, TaskFilter};
use evertask::testing::postgres::Server;
use evertask::{Dispatcher, TaskId};
use evertask_tests::proxy::Proxy;
use evertask_tests::{dice, full, seed, warnings};
use sqlx::{Connection as _, PgConnection, Row as _};

/// There and back.
const WAY: Duration = Duration::from_millis(25);
/// A transaction in which nothing happens for longer was forgotten.
const FORGOTTEN: f64 = 100.0;

#[task]
async fn note(nth: u64) -> Result<u64, std::convert::Infallible> {
    Ok(nth)
}

/// The transactions in which nothing happened for too long, how many were seen at all, and the longest pause.
async fn watch(url: &str, most: f64, over: &AtomicBool) -> (usize, usize, f64) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let look = "SELECT pid, state_change::text, extract(epoch FROM clock_timestamp() - state_change)::float8 * 1000 \
                FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    let (mut seen, mut forgotten, mut longest) = (HashSet::new(), HashSet::new(), 0.0_f64);
    while !over.load(Ordering::Acquire) {
        for row in sqlx::query(look).fetch_all(&mut conn).await.unwrap() {
            let (which, idle): ((i32, String), f64) = ((row.get(0), row.get(1)), row.get(2));
            if idle > most {
                forgotten.insert(which.clone());
            }
            seen.insert(which);
            longest = longest.max(idle);
        }
        // The bar's own resolution.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (forgotten.len(), seen.len(), longest)
}

/// Drops calls; `most` is how long a transaction may be idle, in milliseconds.
async fn drop_calls(points: u64, most: f64) {
    warnings::listen();
    let (seed, server) = (seed(), Server::start().unwrap());
    let proxy = Proxy::start(server.folder(), WAY).await;
    let dispatcher = Dispatcher::open(&proxy.url("calls")).await.unwrap();
    let store = dispatcher.store().clone();
    let over = Arc::new(AtomicBool::new(false));
    let watching = {
        let (url, over) = (server.url(), over.clone());
        tokio::spawn(async move { watch(&url, most, &over).await })
    };
    let begun = Instant::now();
    let (mut abandoned, mut given) = (0, 0);
    for point in 0..points {
        let after = Duration::from_millis(dice(seed, point) % 300);
        let selection = Selection::Correlation("nobody".to_owned());
        let answered = match point % 4 {
            0 | 2 => {
                given += 1;
                tokio::time::timeout(after, dispatcher.dispatch(note { nth: point }.after("1h")))
                    .await
                    .map(drop)
                    .is_ok()
            }
            1 => tokio::time::timeout(after, store.cancel(selection)).await.is_ok(),
            _ => tokio::time::timeout(after, store.task(TaskId::new())).await.is_ok(),
        };
        abandoned += u64::from(!answered);
    }
    // The next caller is served as if nothing had been.
    let last = dispatcher.dispatch(note { nth: points }.after("1h")).await.unwrap();
    given += 1;
    assert!(dispatcher.get(last.id()).await.unwrap().is_some());
    let kept = dispatcher.list(TaskFilter::new().limit(10_000)).await.unwrap().len();
    over.store(true, Ordering::Release);
    let (forgotten, open, longest) = watching.await.unwrap();
    let warned: Vec<_> =
        server.log().unwrap().lines().filter(|line| line.contains("WARNING:")).map(str::to_owned).collect();
    let said = warnings::that_say("");
    println!(
        "seed {seed}: {abandoned} of {points} calls dropped in {:.1} s behind a proxy of {:?}: {forgotten} of {open} open \
         transactions idle for more than {most} ms (longest {longest:.0} ms), {} warnings; {kept} of {given} \
         dispatches are there",
        begun.elapsed().as_secs_f64(),
        WAY * 2,
        warned.len() + said.len()
    );
    assert!(abandoned * 3 > points, "hardly any call was dropped, which proves nothing");
    assert!(open > 0, "no transaction was seen, which proves nothing");
    assert_eq!((warned, said), (Vec::<String>::new(), Vec::<String>::new()));
    assert_eq!((forgotten, kept), (0, given));
    assert_eq!(dispatcher.verify().await.unwrap(), []);
    dispatcher.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_leaves_no_transaction_open() {
    if full() {
        drop_calls(200, FORGOTTEN).await;
    } else {
        // Beside other tests any thread may be held up for a while: four times the way is the bar then.
        drop_calls(40, FORGOTTEN * 4.0).await;
    }
}
