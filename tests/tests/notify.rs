//! What one node adds and another picks up: while the listener is killed again and again, without LISTEN, and behind
//! a pooler in transaction mode.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use evertask::prelude::*;
use evertask::registry::Registry;
use evertask::store::{TaskFilter, TaskState};
use evertask::testing::postgres::Server;
use evertask::{Dispatcher, Queue};
use evertask_tests::pgbouncer::Pgbouncer;
use evertask_tests::record::idle;
use evertask_tests::{dice, full, seed, warnings};
use sqlx::{Connection as _, PgConnection};

/// Who does not hear looks so often.
const POLL: Duration = Duration::from_secs(5);
/// How often a listener is killed.
const KILL_EVERY: Duration = Duration::from_secs(3);
const SAID: &str = "what other nodes do is not heard";

/// How long each task waited for its handler.
struct Pickups {
    since: Instant,
    waits: Mutex<Vec<Duration>>,
}

#[task(retry(times = 2, backoff = fixed("5ms")))]
async fn pick_up(at: u64, nth: u64, pickups: &Pickups, cx: &Context) -> Result<u64, String> {
    if cx.attempt() == 1 {
        pickups.waits.lock().unwrap().push(pickups.since.elapsed().saturating_sub(Duration::from_millis(at)));
    }
    // Every tenth fails first, so that more than one kind of statement goes this way.
    if nth.is_multiple_of(10) && cx.attempt() == 1 { Err("once more".to_owned()) } else { Ok(nth) }
}

#[task(on_ok => pick_up_after)]
async fn pick_up_first(nth: u64) -> Result<u64, Infallible> {
    Ok(nth)
}

#[task]
async fn pick_up_after(nth: u64) -> Result<u64, Infallible> {
    Ok(nth)
}

fn slack() -> Duration {
    // Beside other tests any thread may be held up.
    if full() { Duration::from_millis(200) } else { Duration::from_secs(1) }
}

fn lasts() -> Duration {
    if full() { Duration::from_mins(1) } else { Duration::from_secs(10) }
}

/// One node adds, another works. The wait that all but one in a hundred stay below.
async fn pick_ups(what: &str, from: &str, to: &str, lasts: Duration) -> Duration {
    warnings::listen();
    let seed = seed();
    let (adds, works) = (Dispatcher::open(from).await.unwrap(), Dispatcher::open(to).await.unwrap());
    let pickups = Arc::new(Pickups { since: Instant::now(), waits: Mutex::default() });
    let known = Registry::default().add::<pick_up>().add::<pick_up_first>();
    let worker = works.worker().registry(known).data_dyn(pickups.clone()).only_named_queues();
    let worker = worker.queue("default", Queue::new().concurrency(64)).start().await.unwrap();
    let (begun, mut nth) = (Instant::now(), 0);
    while begun.elapsed() < lasts {
        let at = u64::try_from(pickups.since.elapsed().as_millis()).unwrap();
        adds.dispatch(pick_up { at, nth }).await.unwrap();
        if nth % 5 == 0 {
            adds.dispatch(pick_up_first { nth }).await.unwrap();
        }
        nth += 1;
        // At any moment between two looks.
        tokio::time::sleep(Duration::from_millis(20 + dice(seed, nth) % 180)).await;
    }
    let stuck = tokio::time::timeout(POLL * 3, idle(&adds)).await;
    let all = adds.list(TaskFilter::new().limit(10_000)).await.unwrap();
    let left = all.iter().filter(|task| task.state != TaskState::Succeeded).count();
    let mut waits = pickups.waits.lock().unwrap().clone();
    waits.sort_unstable();
    let p99 = waits[(waits.len() * 99).div_ceil(100) - 1];
    println!(
        "{what}: {} picked up in {lasts:?}, {left} stuck; p50 {:.2?}, p99 {p99:.2?}, longest {:.2?}; {} warnings",
        waits.len(),
        waits[waits.len() / 2],
        waits[waits.len() - 1],
        warnings::that_say(SAID).len()
    );
    stuck.unwrap().unwrap();
    assert_eq!((left, waits.len()), (0, nth.try_into().unwrap()));
    assert_eq!(adds.verify().await.unwrap(), []);
    worker.shutdown().await;
    works.close().await.unwrap();
    adds.close().await.unwrap();
    p99
}

fn on(server: &str, more: &str) -> String {
    format!("{server}&schema=news{more}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_is_killed_again_and_again_loses_nothing() {
    let server = Server::start().unwrap();
    let url = server.url();
    let (over, mut is_over) = tokio::sync::oneshot::channel::<()>();
    let killing = {
        let url = url.clone();
        tokio::spawn(async move {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'";
            let (mut conn, mut killed) = (PgConnection::connect(&url).await.unwrap(), 0);
            while tokio::time::timeout(KILL_EVERY, &mut is_over).await.is_err() {
                killed += sqlx::query(kill).fetch_all(&mut conn).await.unwrap().len();
            }
            killed
        })
    };
    // Only the node that works listens: one of them is killed, and says so.
    let p99 = pick_ups("listeners killed", &on(&url, "&listen=off"), &on(&url, ""), lasts()).await;
    over.send(()).unwrap();
    let killed = killing.await.unwrap();
    println!("{killed} listeners killed");
    assert!(killed >= 3, "hardly any listener was killed, which proves nothing");
    assert!(p99 <= POLL + slack(), "{p99:?}");
    assert_eq!(warnings::that_say(SAID).len(), 1, "{:?}", warnings::that_say(SAID));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_listening_everything_is_picked_up_at_the_next_look() {
    let server = Server::start().unwrap();
    let url = on(&server.url(), "&listen=off");
    let p99 = pick_ups("LISTEN off", &url, &url, lasts()).await;
    assert!(p99 <= POLL + slack(), "{p99:?}");
    assert!(p99 > slack(), "it was heard of, which proves nothing");
}

/// As a value in a URL.
fn encoded(url: &str) -> String {
    url.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_in_transaction_mode_everything_is_picked_up() {
    let server = Server::start().unwrap();
    let Some(pooler) = Pgbouncer::start(server.folder()) else {
        println!("skipped: there is no pgbouncer here");
        return;
    };
    let url = pooler.url("news");
    let looks = pick_ups("pgbouncer, LISTEN off", &url, &url, lasts()).await;
    assert!(looks <= POLL + slack(), "{looks:?}");
    let listens = format!("{url}&listen={}", encoded(&server.url()));
    let hears = pick_ups("pgbouncer, a direct URL to listen", &url, &listens, lasts() / 2).await;
    assert!(hears <= POLL / 5, "{hears:?}");
    assert_eq!(warnings::that_say(""), Vec::<String>::new());
    let errors: Vec<_> =
        server.log().unwrap().lines().filter(|line| line.contains("ERROR:")).map(str::to_owned).collect();
    assert_eq!(errors, Vec::<String>::new());
}
