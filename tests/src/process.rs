//! Programs under test: started, given orders, listened to, and killed.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::witness::{self, Line, Word};

/// Whoever waits longer for a program waits in vain.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where the programs of one test keep what they leave.
#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
    server: Option<String>,
}

impl Place {
    /// A new one.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), server: None }
    }

    /// A new one, whose store is on a PostgreSQL server.
    pub fn on_server(url: &str) -> Self {
        Self { server: Some(url.to_owned()), ..Self::new() }
    }

    /// The URL of the store.
    pub fn store(&self) -> String {
        self.server.clone().unwrap_or_else(|| format!("sqlite:{}", self.database().display()))
    }

    /// Whether the store is a file of this place.
    pub fn is_file(&self) -> bool {
        self.server.is_none()
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("work.db")
    }

    /// The witness.
    pub fn witness(&self) -> PathBuf {
        self.folder.path().join("witness")
    }

    /// What was acknowledged: a lap's number and its run's id, a line each.
    pub fn acked(&self) -> PathBuf {
        self.folder.path().join("acked")
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

/// A program that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    orders: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Program {
    /// Starts it on a place. It is told where to die, if anywhere.
    pub fn start(program: &str, place: &Place, arguments: &[&str], crash_at: Option<&str>) -> Self {
        let variable = crash_at.map(|point| ("EVERTASK_CRASH_AT", OsStr::new(point)));
        Self::start_with(program, place, arguments, variable)
    }

    /// Starts it on a place. It writes down each crash point that it passes, a line each.
    pub fn start_recorded(program: &str, place: &Place, arguments: &[&str], passed: &Path) -> Self {
        Self::start_with(program, place, arguments, Some(("EVERTASK_CRASH_LOG", passed.as_os_str())))
    }

    /// Starts it on a place. It stops at this point, as if by SIGSTOP.
    pub fn start_stopping(program: &str, place: &Place, arguments: &[&str], point: &str) -> Self {
        Self::start_with(program, place, arguments, Some(("EVERTASK_STOP_AT", OsStr::new(point))))
    }

    fn start_with(program: &str, place: &Place, arguments: &[&str], variable: Option<(&str, &OsStr)>) -> Self {
        let mut command = Command::new(program);
        let paths = [("--witness", place.witness()), ("--acked", place.acked())];
        command
            .args(arguments)
            .args(["--store", &place.store()])
            .args(paths.iter().flat_map(|(option, path)| [Path::new(option), path.as_path()]));
        command.env_remove("EVERTASK_CRASH_AT").env_remove("EVERTASK_CRASH_LOG").env_remove("EVERTASK_STOP_AT");
        command.envs(variable).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (heard, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // A test that listens no more needs no line.
                let _ = heard.send(line);
            }
        });
        let orders = child.stdin.take();
        Self { child, orders, lines }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives it a line.
    pub fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().unwrap();
        writeln!(orders, "{order}").unwrap();
    }

    /// Tells it that there are no more orders: it ends when it has done what it has to.
    pub fn close(&mut self) {
        self.orders = None;
    }

    /// Waits for a line that begins so.
    pub fn hear(&self, beginning: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with(beginning) => return line,
                Ok(_) => {}
                Err(error) => panic!("no line `{beginning} ..` of process {}: {error}", self.id()),
            }
        }
    }

    /// Waits for a word of its witness, which it must echo.
    pub fn hear_word(&self, word: Word, task: &str) -> Line {
        let beginning = match word {
            Word::Begin => format!("begin {task}"),
            Word::End => format!("end {task}"),
            Word::Told => format!("told {task}"),
        };
        witness::parse(&self.hear(&beginning)).unwrap()
    }

    /// Waits for its end.
    pub fn wait(self) -> ExitStatus {
        self.wait_and_hear("").0
    }

    /// Waits for its end. Gives the lines that begin so, too, of those that nobody has heard.
    pub fn wait_and_hear(mut self, beginning: &str) -> (ExitStatus, Vec<String>) {
        let until = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        loop {
            // Its output is closed when it ends.
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with(beginning) => heard.push(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return (self.child.wait().unwrap(), heard),
                Err(RecvTimeoutError::Timeout) => panic!("process {} does not end", self.id()),
            }
        }
    }

    /// Closes its orders, and waits for its end.
    pub fn finish(mut self) -> ExitStatus {
        self.close();
        self.wait()
    }

    /// SIGKILL. When this returns, it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal: `TERM`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().unwrap();
        assert!(sent.success(), "kill -{name} {}: {sent}", self.id());
    }
}

impl Program {
    /// Waits until it has stopped.
    pub fn wait_stopped(&self) {
        until("a process stops", || {
            let ps = Command::new("ps").args(["-o", "state=", "-p", &self.id().to_string()]).output().unwrap();
            ps.stdout.starts_with(b"T")
        });
    }

    /// Whether it has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

/// Waits until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
