//! Worker processes: this program again, which is told when to begin and when to end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::{Result, WORKER_CHILD};

/// A worker process.
pub(crate) struct Child {
    process: std::process::Child,
    input: ChildStdin,
    output: Option<BufReader<ChildStdout>>,
}

impl Child {
    pub(crate) fn start(place: &str) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([WORKER_CHILD, place])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().ok_or("no input")?;
        let output = process.stdout.take().ok_or("no output")?;
        Ok(Self { process, input, output: Some(BufReader::new(output)) })
    }

    /// Waits until it has opened the store.
    pub(crate) fn is_ready(&mut self) -> Result<()> {
        let mut line = String::new();
        self.output.as_mut().ok_or("it is counted already")?.read_line(&mut line)?;
        if line.trim() == "ready" { Ok(()) } else { Err(format!("a worker said {line:?}").into()) }
    }

    pub(crate) fn go(&mut self) -> Result<()> {
        Ok(self.input.write_all(b"go\n")?)
    }

    /// Adds what it says it has done.
    pub(crate) fn count(&mut self, done: &Arc<AtomicUsize>) -> Result<JoinHandle<Result<()>>> {
        let (output, done) = (self.output.take().ok_or("it is counted already")?, done.clone());
        Ok(std::thread::spawn(move || {
            for line in output.lines() {
                done.fetch_add(line?.parse()?, Ordering::Relaxed);
            }
            Ok(())
        }))
    }

    /// Tells it to end, and waits until it has: all that it did is on disk.
    pub(crate) fn end(mut self) -> Result<()> {
        drop(self.input);
        let status = self.process.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a worker ended with {status}").into()) }
    }
}
