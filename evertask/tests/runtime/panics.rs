//! Panics, wherever a user's code runs: each is recorded, and the one slot is free again after each.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use evertask::prelude::*;
use evertask::store::{ParkReason, TaskState};
use evertask::{Dispatcher, FailureKind, FailureReport, Handle, Queue, RunError, Worker};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::on_each_store;

/// Panics when it is dropped, unless something else panics already.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "the bomb went off");
    }
}

#[task]
async fn in_poll() -> Result<(), Infallible> {
    tokio::task::yield_now().await;
    panic!("in poll")
}

#[task]
fn on_a_thread() -> Result<(), Infallible> {
    panic!("on a thread")
}

#[task]
async fn with_a_bomb() -> Result<(), Infallible> {
    std::panic::panic_any(Bomb)
}

#[task]
async fn in_drop() -> Result<(), Infallible> {
    let _bomb = Bomb;
    Ok(())
}

#[task(timeout = "20ms")]
async fn in_drop_when_given_up() -> Result<(), Infallible> {
    let _bomb = Bomb;
    std::future::pending().await
}

#[task]
async fn in_drop_when_interrupted(cx: &Context) -> Result<(), Infallible> {
    let _bomb = Bomb;
    if let Some(begun) = cx.data::<Notify>() {
        begun.notify_one();
    }
    std::future::pending().await
}

/// A payload that can be dropped only where it was made.
#[task(retry(times = 1, backoff = fixed("1ms")))]
#[derive(Serialize, Deserialize)]
struct Brittle {
    #[serde(skip)]
    made_here: bool,
}

impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(self.made_here || std::thread::panicking(), "the payload broke");
    }
}

impl Handler for Brittle {
    type Output = ();
    type Error = Infallible;

    async fn run(self, _: &Context) -> Result<(), Infallible> {
        Ok(())
    }
}

/// What can't be written.
#[derive(Deserialize)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("in serialize")
    }
}

#[task]
async fn in_serialize() -> Result<Unwritable, Infallible> {
    Ok(Unwritable)
}

/// What can't be read.
#[derive(Serialize)]
struct Unreadable;

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("in deserialize")
    }
}

#[task]
async fn in_deserialize(what: Unreadable) -> Result<(), Infallible> {
    let Unreadable = what;
    Ok(())
}

#[task]
#[derive(Serialize, Deserialize)]
struct InHooks;

impl Handler for InHooks {
    type Output = u32;
    type Error = Infallible;

    async fn run(self, _: &Context) -> Result<u32, Infallible> {
        Ok(1)
    }

    async fn on_started(&self, _: &Context) {
        panic!("in a hook")
    }

    async fn on_completed(&self, _: &u32, _: &Context) {
        panic!("in another hook")
    }
}

#[task]
async fn in_a_child() -> Result<bool, Infallible> {
    let child = tokio::spawn(async { panic!("in a child") });
    // It is detached: nobody but the panic hook hears it. The test waits, to know that it has panicked.
    Ok(child.await.is_err_and(|error| error.is_panic()))
}

/// An error that can't be shown.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in display")
    }
}

#[task(retry(times = 1, backoff = fixed("1ms")))]
async fn in_display() -> Result<(), Unspeakable> {
    Err(Unspeakable)
}

/// An error that can't be dropped.
#[derive(Debug)]
struct Sticky {
    _bomb: Bomb,
}

impl fmt::Display for Sticky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sticky")
    }
}

#[task(retry(times = 1, backoff = fixed("1ms")))]
async fn in_the_drop_of_an_error(cx: &Context) -> Result<u32, Sticky> {
    if cx.attempt() == 1 { Err(Sticky { _bomb: Bomb }) } else { Ok(cx.attempt()) }
}

fn never(_: &String) -> bool {
    panic!("in retry_if")
}

#[task(retry(times = 1, backoff = fixed("1ms")), retry_if = never)]
async fn in_retry_if() -> Result<(), String> {
    Err("wrong".into())
}

fn edge(of: u32) -> u32 {
    assert!(of > 9, "on an edge");
    of
}

#[task]
async fn after(of: u32) -> Result<u32, Infallible> {
    Ok(of)
}

#[task(on_ok(of) => after { of: edge(of) })]
async fn on_an_edge() -> Result<u32, Infallible> {
    Ok(1)
}

#[task(on_failure(f) => after { of: edge(f.attempts) })]
async fn on_an_edge_of_a_failure() -> Result<u32, String> {
    Err("wrong".into())
}

#[task]
async fn all_is_well() -> Result<(), Infallible> {
    Ok(())
}

/// A worker with one slot.
async fn worker(dispatcher: &Dispatcher) -> Worker {
    let one = Queue::new().concurrency(1);
    crate::settings(dispatcher).queue(evertask::DEFAULT_QUEUE, one).start().await.unwrap()
}

async fn failure<W: Work>(of: Handle<W>) -> FailureReport {
    match of.wait().await {
        Err(RunError::Failed { report, .. }) => report,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("`{}` succeeded", W::NAME),
    }
}

/// Fails the work, and shows that the slot is free again.
async fn fails(dispatcher: &Dispatcher, work: impl evertask::IntoDispatch) -> (FailureKind, String, u32) {
    let report = failure(dispatcher.dispatch(work).await.unwrap()).await;
    dispatcher.dispatch(all_is_well {}).await.unwrap().wait().await.unwrap();
    (report.kind, report.message, report.attempts)
}

async fn last_line(dispatcher: &Dispatcher, name: &str) -> String {
    let tasks = dispatcher.list(evertask::store::TaskFilter::new().name(name)).await.unwrap();
    let lines = dispatcher.log(tasks[0].id).await.unwrap();
    lines.last().map(|line| line.text.clone()).unwrap_or_default()
}

fn panicked(message: &str, attempts: u32) -> (FailureKind, String, u32) {
    (FailureKind::Panic, format!("panicked: {message}"), attempts)
}

on_each_store! {
    async fn each_is_recorded_and_the_worker_lives(dispatcher) {
        let worker = worker(&dispatcher).await;
        let d = &dispatcher;
        let mut recorded = 0;
        let mut is = |found: (FailureKind, String, u32), expected: (FailureKind, String, u32)| {
            assert_eq!(found, expected);
            recorded += 1;
        };
        is(fails(d, in_poll {}).await, panicked("in poll", 1));
        is(fails(d, on_a_thread {}).await, panicked("on a thread", 1));
        is(fails(d, with_a_bomb {}).await, panicked("a panic without a message", 1));
        is(fails(d, in_drop {}).await, panicked("the bomb went off", 1));
        let given_up = (FailureKind::Timeout, "timed out after 20ms".to_owned(), 1);
        is(fails(d, in_drop_when_given_up {}).await, given_up);
        let line = last_line(d, "in_drop_when_given_up").await;
        assert_eq!(line, "it panicked when it was dropped: the bomb went off");
        is(fails(d, Brittle { made_here: true }).await, panicked("the payload broke", 2));
        is(fails(d, in_serialize {}).await, panicked("in serialize", 1));
        let unspoken = (FailureKind::Error, "its error can't be shown: in display; then its edge panicked: in display".to_owned(), 2);
        is(fails(d, in_display {}).await, unspoken);
        let wrong = (FailureKind::Error, "wrong".to_owned(), 1);
        is(fails(d, in_retry_if {}).await, wrong);
        assert_eq!(last_line(d, "in_retry_if").await, "its retry advice panicked: in retry_if");
        is(fails(d, on_an_edge {}).await, panicked("on an edge", 1));
        let on_its_edge = (FailureKind::Error, "wrong; then its edge panicked: on an edge".to_owned(), 1);
        is(fails(d, on_an_edge_of_a_failure {}).await, on_its_edge);

        // These do not fail what panics.
        assert_eq!(d.dispatch(in_the_drop_of_an_error {}).await.unwrap().wait().await.unwrap(), 2);
        assert_eq!(last_line(d, "in_the_drop_of_an_error").await, "its error panicked when it was dropped: the bomb went off");
        assert_eq!(d.dispatch(InHooks).await.unwrap().wait().await.unwrap(), 1);
        assert!(d.dispatch(in_a_child {}).await.unwrap().wait().await.unwrap());
        let unread = d.dispatch(in_deserialize { what: Unreadable }).await.unwrap();
        d.dispatch(all_is_well {}).await.unwrap().wait().await.unwrap();
        let record = d.get(unread.id()).await.unwrap().unwrap();
        assert_eq!((record.state, record.failures), (TaskState::Parked, 0));
        let (reason, detail) = record.parked.unwrap();
        assert!(reason == ParkReason::Undecodable && detail.contains("in deserialize"), "{detail}");
        recorded += 4;
        println!("{recorded} of 15 panics recorded, with one slot");
        assert_eq!(recorded, 15);
        assert!(worker.health().is_healthy());
        worker.shutdown().await;
    }

    async fn one_in_the_drop_of_what_a_shutdown_interrupts_costs_no_attempt(dispatcher) {
        let begun = Arc::new(Notify::new());
        let worker = crate::settings(&dispatcher).data_dyn(begun.clone()).start().await.unwrap();
        let task = dispatcher.dispatch(in_drop_when_interrupted {}).await.unwrap();
        begun.notified().await;
        let report = worker.shutdown_within(Duration::ZERO).await;
        assert_eq!((report.drained, report.handed_back), (0, 1));
        let record = dispatcher.get(task.id()).await.unwrap().unwrap();
        assert_eq!((record.state, record.interrupts, record.failures), (TaskState::Ready, 1, 0));
    }
}
