//! Ctrl-C and SIGTERM.

use std::io;

use super::{Shutdown, Worker};

/// What a shell reports for a program that was interrupted.
const INTERRUPTED: i32 = 130;

pub(super) async fn run_until_signal(worker: Worker) -> io::Result<Shutdown> {
    let mut signals = Signals::new()?;
    signals.next().await;
    tracing::info!("stopping: a second signal ends the process at once");
    let shutdown = worker.shutdown();
    tokio::select! {
        report = shutdown => Ok(report),
        () = signals.next() => std::process::exit(INTERRUPTED),
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C can't be heard");
            std::future::pending::<()>().await;
        }
    }
}
