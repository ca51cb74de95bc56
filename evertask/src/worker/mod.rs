//! Runs tasks in this process.
//!
//! [`run`] is the loop that owns the slots: it starts what the store delivers, and settles what ends.
//! [`attempt`] is one task from its payload to its verdict. [`heart`] is the thread that keeps the worker's
//! claims, takes over those of the dead, and can't be held up by handlers.

mod aftermath;
mod arms;
mod attempt;
mod builder;
#[cfg(feature = "postgres")]
mod complete;
mod contain;
mod health;
mod heart;
mod manner;
mod prepare;
mod queue;
mod run;
mod signal;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub(crate) use arms::{end_runner, signal_runner, sub_run_runner};
pub(crate) use attempt::{Runner, attempt_runner};
pub use builder::{StartError, WorkerBuilder};
pub(crate) use contain::caught;
pub use health::Health;
pub use queue::Queue;

use run::Command;

/// Runs tasks in this process, until it is shut down or dropped.
///
/// ```standalone_crate
/// use evertask::{Dispatcher, Queue, prelude::*};
///
/// struct Mailer;
///
/// #[task(queue = "mail")]
/// async fn send_email(to: String, mailer: &Mailer) -> Result<(), std::convert::Infallible> {
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let dispatcher = Dispatcher::open("memory:").await?;
/// let worker = dispatcher.worker().data(Mailer).queue("mail", Queue::new().concurrency(4)).start().await?;
/// // A service says `worker.run_until_signal().await?` here.
/// let stopped = worker.shutdown().await;
/// assert_eq!(stopped.handed_back, 0);
/// # Ok(())
/// # }
/// ```
///
/// A dropped worker stops as one whose deadline is over: what runs is interrupted, and runs again elsewhere.
#[derive(Debug)]
#[must_use = "a worker that is dropped stops"]
pub struct Worker {
    commands: mpsc::UnboundedSender<Command>,
    running: Option<JoinHandle<()>>,
    deadline: Duration,
    health: Health,
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Attempts that ended by themselves before the deadline.
    pub drained: usize,
    /// Attempts that were interrupted: neither a failure nor an attempt, and they run again.
    pub handed_back: usize,
    /// Threads that still run the handler of an attempt that is over. The end of the process ends them.
    pub leaked: usize,
}

impl Worker {
    /// Stops: claims no more, tells what runs, waits for it until the deadline of the worker (30 s if not
    /// said), and hands back what has not ended. When this returns, everything is on disk.
    pub async fn shutdown(self) -> Shutdown {
        let deadline = self.deadline;
        self.shutdown_within(deadline).await
    }

    /// How it is, for a health check: it can be kept when the worker is given away.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Stops, with this deadline.
    pub async fn shutdown_within(mut self, deadline: Duration) -> Shutdown {
        let (done, report) = oneshot::channel();
        let stopped = self.commands.send(Command::Shutdown { deadline, done: Some(done) });
        let report = match stopped {
            Ok(()) => report.await.unwrap_or_default(),
            Err(_) => Shutdown::default(),
        };
        if let Some(running) = self.running.take()
            && let Err(error) = running.await
        {
            tracing::error!(%error, "the worker ended abnormally");
        }
        report
    }

    /// Runs until Ctrl-C or SIGTERM, then shuts down. A second signal ends the process at once, with
    /// exit code 130: nothing is lost by it, what ran then is taken over when its lease is over.
    pub async fn run_until_signal(self) -> std::io::Result<Shutdown> {
        signal::run_until_signal(self).await
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.running.is_some() {
            // A loop that is gone needs no word.
            let _ = self.commands.send(Command::Shutdown { deadline: Duration::ZERO, done: None });
        }
    }
}
