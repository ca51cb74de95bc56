//! Named crash points: the places before and after each kind of commit, where a test lets the process die, or stop.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Every crash point that there is.
pub const CRASH_POINTS: &[&str] = &[
    "sqlite.dispatch.before_commit",
    "sqlite.dispatch.after_commit",
    "sqlite.claim.before_commit",
    "sqlite.claim.after_commit",
    "sqlite.settle.succeeded.before_commit",
    "sqlite.settle.succeeded.after_commit",
    "sqlite.settle.failed.before_commit",
    "sqlite.settle.failed.after_commit",
    "sqlite.settle.retry.before_commit",
    "sqlite.settle.retry.after_commit",
    "sqlite.settle.cancelled.before_commit",
    "sqlite.settle.cancelled.after_commit",
    "sqlite.settle.snoozed.before_commit",
    "sqlite.settle.snoozed.after_commit",
    "sqlite.settle.interrupted.before_commit",
    "sqlite.settle.interrupted.after_commit",
    "sqlite.settle.parked.before_commit",
    "sqlite.settle.parked.after_commit",
    "sqlite.cancel.before_commit",
    "sqlite.cancel.after_commit",
    "sqlite.signal.before_commit",
    "sqlite.signal.after_commit",
    "sqlite.pause.before_commit",
    "sqlite.pause.after_commit",
    "sqlite.resume.before_commit",
    "sqlite.resume.after_commit",
    "sqlite.schedules.before_commit",
    "sqlite.schedules.after_commit",
    "sqlite.turn.before_commit",
    "sqlite.turn.after_commit",
    "sqlite.reclaim.before_commit",
    "sqlite.reclaim.after_commit",
    "sqlite.attach.before_commit",
    "sqlite.attach.after_commit",
    "sqlite.retire.before_commit",
    "sqlite.retire.after_commit",
    "sqlite.expire.before_commit",
    "sqlite.expire.after_commit",
    "sqlite.migrate.before_commit",
    "sqlite.migrate.after_commit",
    "sqlite.checkpoint.before",
    "sqlite.checkpoint.after",
    "postgres.before_commit",
    "postgres.after_commit",
    "postgres.end.before_commit",
    "postgres.end.after_commit",
    "postgres.schedules.before_commit",
    "postgres.schedules.after_commit",
    "postgres.turn.before_commit",
    "postgres.turn.after_commit",
    "postgres.request.before_commit",
    "postgres.request.after_commit",
    "postgres.migrate.before_commit",
    "postgres.migrate.after_commit",
];

/// The environment variable that says where to die: `name`, or `name:n` for the n-th time there.
const CRASH_AT: &str = "EVERTASK_CRASH_AT";

/// The same, to stop there until somebody sends SIGCONT.
const STOP_AT: &str = "EVERTASK_STOP_AT";

/// The environment variable that names a file: each point that is passed becomes a line of it.
const CRASH_LOG: &str = "EVERTASK_CRASH_LOG";

/// Where this process is to die or to stop, and at which visit.
struct Crash {
    name: String,
    visit: u64,
    visits: AtomicU64,
}

impl Crash {
    fn wished_by(variable: &str) -> Option<Self> {
        std::env::var(variable).ok().map(|wish| parse(&wish))
    }

    fn is_now(&self, name: &str) -> bool {
        self.name == name && self.visits.fetch_add(1, Ordering::Relaxed) + 1 == self.visit
    }
}

/// Ends the process without any farewell, or stops it, if the environment asks for it here.
pub(crate) fn crash_point(name: &str) {
    static CRASH: OnceLock<Option<Crash>> = OnceLock::new();
    static STOP: OnceLock<Option<Crash>> = OnceLock::new();
    record(name);
    if CRASH.get_or_init(|| Crash::wished_by(CRASH_AT)).as_ref().is_some_and(|crash| crash.is_now(name)) {
        std::process::abort();
    }
    if STOP.get_or_init(|| Crash::wished_by(STOP_AT)).as_ref().is_some_and(|stop| stop.is_now(name)) {
        stop();
    }
}

/// The longest that a signal may take to reach every thread.
const SIGNAL: Duration = Duration::from_secs(2);

/// Every thread of the process stands still until it gets SIGCONT.
fn stop() {
    let stopped = std::process::Command::new("kill").arg("-STOP").arg(std::process::id().to_string()).status();
    if !stopped.is_ok_and(|status| status.success()) {
        // A test that waits for it would wait in vain.
        std::process::abort();
    }
    // Another thread may be the one that is told first: this one does nothing until it is, too.
    std::thread::sleep(SIGNAL);
}

/// Writes down that a point is passed, if the environment asks for it.
fn record(name: &str) {
    static LOG: OnceLock<Option<PathBuf>> = OnceLock::new();
    let Some(log) = LOG.get_or_init(|| std::env::var_os(CRASH_LOG).map(PathBuf::from)) else { return };
    // One write, so that lines of several threads do not mix.
    let written = OpenOptions::new().append(true).create(true).open(log);
    if written.and_then(|mut log| log.write_all(format!("{name}\n").as_bytes())).is_err() {
        // A record with gaps would hide points from the test that asks for it.
        std::process::abort();
    }
}

fn parse(wish: &str) -> Crash {
    let (name, visit) = match wish.rsplit_once(':') {
        Some((name, visit)) => (name, visit.parse().unwrap_or(1)),
        None => (wish, 1),
    };
    Crash { name: name.to_owned(), visit, visits: AtomicU64::new(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_names_the_point_and_the_visit() {
        let crash = parse("sqlite.claim.after_commit:3");
        assert_eq!((crash.name.as_str(), crash.visit), ("sqlite.claim.after_commit", 3));
        assert_eq!(parse("sqlite.claim.after_commit").visit, 1);
    }

    #[test]
    fn no_point_is_listed_twice() {
        let mut points = CRASH_POINTS.to_vec();
        points.sort_unstable();
        points.dedup();
        assert_eq!(points.len(), CRASH_POINTS.len());
    }
}
