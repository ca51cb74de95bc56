//! What a worker does beside its tasks, on the runtime of the tasks: it starts what schedules say, removes what need
//! not be kept, and does what is asked by SQL.
//!
//! It stops when the worker's shutdown begins. Whatever it was about to do, another worker does, or this one's next
//! life: each step is one transaction, and none depends on the last.

pub(crate) mod declared;
#[cfg(feature = "postgres")]
mod requests;
mod retention;
mod schedules;
mod template;

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use retention::Retention;
pub(crate) use retention::prune;
pub(crate) use template::Template;

use crate::registry::Registry;
use crate::schedule::Clock;
use crate::store::Store;

/// The task that does it. It ends when this is stopped, or dropped.
#[derive(Debug)]
pub(crate) struct Maintenance {
    stop: watch::Sender<()>,
    running: JoinHandle<()>,
}

impl Maintenance {
    pub(crate) fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        registry: Arc<Registry>,
        retention: Retention,
        max_payload: usize,
    ) -> Self {
        let (stop, mut stopped) = watch::channel(());
        let [turned, pruned] = [(); 2].map(|()| on_move(&*clock));
        let running = tokio::spawn(async move {
            let turning = schedules::tend(&*store, &*clock, &registry, &turned);
            let pruning = async {
                if !retention.keeps_everything() {
                    retention::tend(&*store, &*clock, &retention, &pruned).await;
                }
            };
            let asked = do_requests(&*store, &registry, max_payload);
            tokio::select! {
                // An error says that this was dropped, too.
                _ = stopped.changed() => {}
                _ = async { tokio::join!(turning, pruning, asked) } => {}
            }
        });
        Self { stop, running }
    }

    /// Stops, and waits for it.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the maintenance of the store ended abnormally");
        }
    }
}

/// Does what is asked by SQL, where that can be.
#[cfg(feature = "postgres")]
async fn do_requests(store: &dyn Store, registry: &Registry, max_payload: usize) {
    if let Some(store) = store.as_any().downcast_ref() {
        requests::tend(store, registry, max_payload).await;
    }
}

/// Nobody asks by SQL.
#[cfg(not(feature = "postgres"))]
fn do_requests(_: &dyn Store, _: &Registry, _: usize) -> std::future::Ready<()> {
    std::future::ready(())
}

/// Told whenever somebody moves the clock.
fn on_move(clock: &dyn Clock) -> Arc<Notify> {
    let moved = Arc::new(Notify::new());
    let wake = moved.clone();
    clock.on_move(Arc::new(move || wake.notify_one()));
    moved
}
