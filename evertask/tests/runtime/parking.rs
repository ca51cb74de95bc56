//! What can't be read, what kills its worker, and what lost its lease.

use std::convert::Infallible;
use std::time::Duration;

use evertask::prelude::*;
use evertask::registry::Registry;
use evertask::store::{Delivery, Known, ParkReason, TaskState, WorkerInfo};
use evertask::{Dispatcher, FailureKind, RunError, TaskId, WorkerId};
use tokio::sync::mpsc;

use crate::{on_each_store, worker};

#[task]
async fn weed(rows: u32) -> Result<u32, Infallible> {
    Ok(rows)
}

#[task]
async fn water(rows: u32) -> Result<u32, Infallible> {
    Ok(rows)
}

/// Waits until a task is in this state: the store has no signal for parking.
async fn until(dispatcher: &Dispatcher, id: TaskId, state: TaskState) {
    let look = async {
        while dispatcher.get(id).await.unwrap().unwrap().state != state {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), look).await.unwrap();
}

on_each_store! {
    async fn a_task_that_nobody_knows_is_parked_and_resumes(dispatcher) {
        let weeding_only = Registry::default().add::<weed>();
        let ignorant = dispatcher.worker().registry(weeding_only).start().await.unwrap();
        let task = dispatcher.dispatch(water { rows: 4 }).await.unwrap();
        until(&dispatcher, task.id(), TaskState::Parked).await;
        let record = dispatcher.get(task.id()).await.unwrap().unwrap();
        let (reason, detail) = record.parked.unwrap();
        assert_eq!(reason, ParkReason::UnknownTask);
        assert!(detail.contains("water"), "{detail}");
        assert_eq!(record.fence, 0);
        let knowing = worker(&dispatcher).await;
        assert_eq!(task.wait().await.unwrap(), 4);
        knowing.shutdown().await;
        ignorant.shutdown().await;
    }

    async fn a_payload_that_does_not_decode_is_parked_and_kept(dispatcher) {
        let task = dispatcher.dispatch(weed { rows: 4 }).await.unwrap();
        // The same name, from a program in which the argument was text.
        let other = NewName { id: TaskId::new() };
        other.dispatch(&dispatcher).await;
        let worker = worker(&dispatcher).await;
        assert_eq!(task.wait().await.unwrap(), 4);
        until(&dispatcher, other.id, TaskState::Parked).await;
        let record = dispatcher.get(other.id).await.unwrap().unwrap();
        assert_eq!(record.parked.unwrap().0, ParkReason::Undecodable);
        assert_eq!((record.payload.as_slice(), record.failures), (&br#"{"rows":"four"}"#[..], 0));
        worker.shutdown().await;
    }

    async fn a_task_that_kills_its_workers_is_set_aside_as_failed(dispatcher) {
        let task = dispatcher.dispatch(weed { rows: 1 }).await.unwrap();
        for _ in 0..2 {
            die_with_a_claim(&dispatcher).await;
        }
        let worker = crate::settings(&dispatcher).max_crashes(2).start().await.unwrap();
        let Err(RunError::Failed { report, .. }) = task.wait().await else { panic!("it was set aside") };
        assert_eq!(report.kind, FailureKind::Crash);
        let attempts = dispatcher.attempts(task.id()).await.unwrap();
        assert!(attempts.iter().filter(|attempt| attempt.report.kind == FailureKind::Crash).count() >= 2);
        worker.shutdown().await;
    }

    async fn a_worker_that_was_taken_for_dead_begins_again(dispatcher) {
        let worker = crate::settings(&dispatcher).lease("60ms").start().await.unwrap();
        let store = dispatcher.store();
        let first = store.workers().await.unwrap()[0].id;
        // A sign of life between the two calls spares it: then once more.
        while store.workers().await.unwrap().iter().any(|peer| peer.id == first) {
            store.reclaim(store.workers().await.unwrap()).await.unwrap();
        }
        assert_eq!(dispatcher.dispatch(weed { rows: 9 }).await.unwrap().wait().await.unwrap(), 9);
        assert!(store.workers().await.unwrap().iter().all(|peer| peer.id != first));
        worker.shutdown().await;
    }
}

struct NewName {
    id: TaskId,
}

impl NewName {
    async fn dispatch(&self, dispatcher: &Dispatcher) {
        let work = evertask::store::NewTask {
            terms: None,
            id: self.id,
            name: "weed".into(),
            queue: "default".into(),
            priority: 0,
            delay: Duration::ZERO,
            at: None,
            payload: br#"{"rows":"four"}"#.to_vec(),
            key: None,
            correlation: None,
            parent: None,
            of: None,
            cancel_routed: false,
            wait: None,
            visits: None,
            was: &[],
        };
        dispatcher.store().dispatch(vec![evertask::store::NewWork::Task(work)]).await.unwrap();
    }
}

/// A worker that claims one task, and is found dead.
async fn die_with_a_claim(dispatcher: &Dispatcher) {
    let store = dispatcher.store();
    let (inbox, mut deliveries) = mpsc::unbounded_channel();
    let tasks = ["weed".to_owned()].into();
    let knows = Known { tasks, ..Known::default() };
    let info = WorkerInfo {
        queues: Vec::new(),
        id: WorkerId::new(),
        place: "a test".into(),
        lease: Duration::from_secs(1),
        knows,
    };
    store.attach(info.clone(), inbox).await.unwrap();
    store.settle(info.id, Vec::new(), vec![("default".into(), 1)]);
    let claimed = deliveries.recv().await.unwrap();
    assert!(matches!(claimed, Delivery::Claimed(_)), "{claimed:?}");
    let peers = store.workers().await.unwrap();
    store.reclaim(peers.into_iter().filter(|peer| peer.id == info.id).collect()).await.unwrap();
}
