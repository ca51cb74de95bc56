//! A disk that is full, and has room again. And what a sync really does.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evertask::store::{StoreError, TaskFilter, TaskState};
use evertask::{DispatchError, DispatchOptions as _, Dispatcher, TaskId, Worker};
use evertask_tests::check::integrity;
use evertask_tests::laps::{Track, gate};
use evertask_tests::process::{Place, Program};
use evertask_tests::rounds;
use evertask_tests::witness::Witness;

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");

/// A small file system of its own. It is gone when this is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where this may not be done: it needs the rights of root.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", size, "none"]).arg(folder.path()).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self(folder))
    }

    fn resize(&self, size: &str) {
        let option = format!("remount,{size}");
        assert!(Command::new("mount").args(["-o", &option]).arg(self.0.path()).status().unwrap().success());
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A file that is still open keeps it until it is closed.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

async fn worker(dispatcher: &Dispatcher, place: &Place) -> Worker {
    let witness = Witness::open(&place.witness(), false).unwrap();
    let track = Arc::new(Track { witness, dispatcher: dispatcher.clone(), gate_is_open: true });
    dispatcher.worker().data_dyn(track).start().await.unwrap()
}

/// Dispatches until there is no room. What was acknowledged, and what the refusal said.
async fn fill(dispatcher: &Dispatcher) -> (Vec<TaskId>, DispatchError) {
    let mut acked = Vec::new();
    loop {
        // Each is as long as some pages, so that the end comes soon.
        match dispatcher.dispatch(gate { nth: 0 }.correlation_id("x".repeat(512)).after("1h")).await {
            Ok(handle) => acked.push(handle.id()),
            Err(error) => return (acked, error),
        }
        assert!(acked.len() < 100_000, "the disk is never full, which proves nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_what_it_cannot_keep_and_heals() {
    let Some(disk) = SmallDisk::mount("size=2m") else {
        println!("skipped: a small file system can't be mounted here (that needs root)");
        return;
    };
    let place = Place::new();
    let database = disk.path().join("work.db");
    let dispatcher = Dispatcher::open(&format!("sqlite:{}", database.display())).await.unwrap();
    let worker = worker(&dispatcher, &place).await;
    let (mut acked, error) = fill(&dispatcher).await;
    assert!(matches!(error, DispatchError::Store(StoreError::Full { .. })), "{error:?}");
    // Again and again, as long as it is full.
    for _ in 0..20 {
        match dispatcher.dispatch(gate { nth: 1 }.correlation_id("x".repeat(512)).after("1h")).await {
            Ok(handle) => acked.push(handle.id()),
            Err(DispatchError::Store(error)) => assert!(error.is_transient(), "{error:?}"),
            Err(other) => panic!("{other}"),
        }
    }
    disk.resize("size=64m");
    let healing = Instant::now();
    let done = loop {
        match dispatcher.dispatch(gate { nth: 2 }).await {
            Ok(handle) => break handle,
            Err(error) => assert!(healing.elapsed() < Duration::from_secs(5), "it does not heal: {error}"),
        }
    };
    done.wait().await.unwrap();
    println!(
        "{} acknowledged before a disk of 2 MB was full ({error}); healed {:.0?} after there was room",
        acked.len(),
        healing.elapsed()
    );
    assert!(healing.elapsed() < Duration::from_secs(5));
    let stored = dispatcher.list(TaskFilter::new().state(TaskState::Ready).limit(1_000_000)).await.unwrap();
    let mut stored: Vec<_> = stored.into_iter().map(|task| task.id).collect();
    stored.sort_unstable();
    acked.sort_unstable();
    assert!(stored == acked, "{} are stored, {} were acknowledged", stored.len(), acked.len());
    worker.shutdown().await;
    assert_eq!(dispatcher.verify().await.unwrap(), []);
    dispatcher.close().await.unwrap();
    assert_eq!(integrity(&database), Vec::<String>::new());
}

#[test]
fn each_acknowledged_dispatch_was_synced() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: there is no strace here");
        return;
    }
    let dispatches = rounds(200);
    let place = Place::new();
    let traced = place.witness().with_extension("strace");
    let script = place.witness().with_extension("sh");
    let text =
        format!("#!/bin/sh\nexec strace -f -c -e trace=fdatasync,fsync -o '{}' '{WORKER}' \"$@\"\n", traced.display());
    std::fs::write(&script, text).unwrap();
    assert!(Command::new("chmod").arg("700").arg(&script).status().unwrap().success());
    let mut producer = Program::start(script.to_str().unwrap(), &place, &["produce"], None);
    producer.hear("producing");
    producer.order(&dispatches.to_string());
    if !producer.finish().success() {
        println!("skipped: strace may not trace here");
        return;
    }
    let acked = std::fs::read_to_string(place.acked()).unwrap().lines().count();
    let summary = std::fs::read_to_string(&traced).unwrap();
    let calls = summary.lines().filter(|line| line.ends_with("fdatasync") || line.ends_with("fsync"));
    let calls: usize = calls.map(|line| line.split_whitespace().nth(3).unwrap().parse::<usize>().unwrap()).sum();
    println!("{acked} dispatches acknowledged one by one: {calls} syncs of the disk");
    assert_eq!(acked, dispatches as usize);
    assert!(calls >= acked, "{calls} syncs:\n{summary}");
}
