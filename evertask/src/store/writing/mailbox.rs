//! The way to the writer: what is asked goes in, and the answer comes back when the transaction is on disk.

use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};

use super::request::{Ask, Request, Settle};
use crate::id::WorkerId;
use crate::store::{Dispatched, Finished, NewWork, Reply, StoreError};

/// How many dispatches may wait for the writer; more wait for their turn.
pub(crate) const MOST_WAITING: usize = 4_096;

/// The sending end of a channel to a writer.
pub(crate) trait Inlet: Clone + Send + 'static {
    /// A writer that is gone drops the request, and with it the question.
    fn put(&self, request: Request);
}

#[cfg(feature = "sqlite")]
impl Inlet for std::sync::mpsc::Sender<Request> {
    fn put(&self, request: Request) {
        let _ = self.send(request);
    }
}

#[cfg(feature = "postgres")]
impl Inlet for tokio::sync::mpsc::UnboundedSender<Request> {
    fn put(&self, request: Request) {
        let _ = self.send(request);
    }
}

/// Where requests go in.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox<I> {
    inlet: I,
    room: Arc<Semaphore>,
}

impl<I: Inlet> Mailbox<I> {
    pub(crate) fn new(inlet: I) -> Self {
        Self { inlet, room: Arc::new(Semaphore::new(MOST_WAITING)) }
    }

    /// Tells the writer something that has no answer.
    pub(crate) fn tell(&self, request: Request) {
        self.inlet.put(request);
    }

    /// Asks at once, so that a caller who drops the reply has still asked.
    pub(crate) fn ask<Q, A: Send + 'static>(&self, request: impl FnOnce(Ask<Q, A>) -> Request, about: Q) -> Reply<A> {
        let (ask, answer) = Ask::new(about);
        self.inlet.put(request(ask));
        reply(answer)
    }

    /// Asks at once where there is room, so that a caller who drops the reply has still dispatched.
    pub(crate) fn dispatch(&self, work: Vec<NewWork>) -> Reply<Vec<Dispatched>> {
        let (ask, answer) = Ask::new(work);
        if let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() {
            self.inlet.put(Request::Dispatch(ask, permit));
            return reply(answer);
        }
        let (room, inlet) = (Arc::clone(&self.room), self.inlet.clone());
        Box::pin(async move {
            let permit = room.acquire_owned().await.map_err(|_| StoreError::Closed)?;
            inlet.put(Request::Dispatch(ask, permit));
            reply(answer).await
        })
    }

    /// The ends of attempts are answered in the worker's inbox.
    pub(crate) fn settle(&self, worker: WorkerId, finished: Vec<Finished>, free: Vec<(String, u32)>) {
        self.inlet.put(Request::Settle(Settle::new(worker, finished, free)));
    }
}

/// An answer that never comes was asked of a store that is closed.
pub(crate) fn reply<T: Send + 'static>(answer: oneshot::Receiver<Result<T, StoreError>>) -> Reply<T> {
    Box::pin(async move { answer.await.unwrap_or(Err(StoreError::Closed)) })
}
