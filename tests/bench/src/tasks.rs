//! The tasks and the workflow that are measured, as a user writes them.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use evertask::{prelude::*, workflow};
use tokio::sync::{Notify, mpsc};

/// What the tasks tell the benchmark.
pub(crate) struct Probe {
    of: usize,
    left: AtomicUsize,
    pub(crate) none_left: Notify,
    started: mpsc::UnboundedSender<Instant>,
}

impl Probe {
    /// One that counts down from `count`, and hears when a `ping` starts.
    pub(crate) fn new(count: usize) -> (Arc<Self>, mpsc::UnboundedReceiver<Instant>) {
        let (started, starts) = mpsc::unbounded_channel();
        (Arc::new(Self { of: count, left: AtomicUsize::new(count), none_left: Notify::new(), started }), starts)
    }

    /// How many have counted down.
    pub(crate) fn done(&self) -> usize {
        self.of.wrapping_sub(self.left.load(Ordering::Relaxed))
    }

    fn one_less(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.none_left.notify_one();
        }
    }
}

#[task]
pub(crate) async fn noop(text: String, probe: &Probe) -> Result<(), Infallible> {
    drop(text);
    probe.one_less();
    Ok(())
}

#[task]
pub(crate) async fn hold(text: String, probe: &Probe) -> Result<(), Infallible> {
    drop(text);
    probe.one_less();
    std::future::pending().await
}

#[task]
pub(crate) async fn ping(text: String, probe: &Probe) -> Result<(), Infallible> {
    // Who listens waits for it.
    let _ = probe.started.send(Instant::now());
    drop(text);
    Ok(())
}

#[task]
async fn first(text: String) -> Result<String, Infallible> {
    Ok(text)
}

#[task]
async fn second(text: String) -> Result<String, Infallible> {
    Ok(text)
}

#[task]
async fn third(text: String, probe: &Probe) -> Result<String, Infallible> {
    probe.one_less();
    Ok(text)
}

workflow! {
    /// Each step passes its text on.
    pub(crate) ThreeSteps<String -> String> {
        first { on_ok => second }
        second { on_ok => third }
        third { on_ok => done }
    }
}
