//! A PostgreSQL server for tests: a private one, on a socket in a temporary folder, that ends with the test run.
//!
//! Every process of one run shares it: whoever needs it first starts it, and it stops by itself when the program
//! that runs the tests has ended. Where `EVERTASK_POSTGRES` names a server, that one is used.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::{CommandExt as _, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The environment variable that names a server to be used.
const SERVER: &str = "EVERTASK_POSTGRES";

/// The longest that a server may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs `pg_ctl` on a server as its owner.
const CONTROL: &str = r#"
dir=$1; bin=$2; shift 2
if [ "$(id -u)" = 0 ]; then
    user=$(stat -c %U "$dir/data")
    as() { setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"; }
else
    as() { "$@"; }
fi
cd "$dir" && as "$bin/pg_ctl" -D "$dir/data" "$@"
"#;

/// Makes a server and waits until the program that runs the tests has ended. PostgreSQL does not run as root.
const RUN: &str = r#"
dir=$1; bin=$2; runner=$3
if [ "$(id -u)" = 0 ]; then
    user=postgres; id -u "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$dir"
    as() { setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@"; }
else
    as() { "$@"; }
fi
cd "$dir" || exit 1
as "$bin/initdb" -D "$dir/data" -U evertask -A trust -E UTF8 --no-locale --no-sync >"$dir/log" 2>&1 || exit 1
as "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/log" -w -t 60 \
    -o "$4" start >>"$dir/log" 2>&1 || exit 1
touch "$dir/ready"
while kill -0 "$runner" 2>/dev/null && [ -d "$dir" ]; do sleep 1; done
[ -d "$dir" ] || { rm -f "$dir.lock"; exit 0; }
as "$bin/pg_ctl" -D "$dir/data" -m immediate stop >>"$dir/log" 2>&1
rm -rf "$dir" "$dir.lock"
"#;

/// The URL of the database for tests.
pub fn server() -> io::Result<String> {
    if let Ok(url) = std::env::var(SERVER) {
        return Ok(url);
    }
    let dir = std::env::temp_dir().join(format!("evertask-pg-{}", parent_id()));
    // Nothing here outlives the machine: what a test kills is a process, and the system keeps what that wrote.
    start(&dir, parent_id(), "-c fsync=off -c full_page_writes=off")
}

/// Starts a server in this folder, if nobody has, and waits for it. It ends with the process `runner`.
pub fn start(dir: &Path, runner: u32, more: &str) -> io::Result<String> {
    let lock = lock(dir)?;
    if !dir.join("ready").exists() {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        fs::create_dir_all(dir)?;
        let programs = programs().ok_or_else(|| {
            io::Error::other("no `initdb` of PostgreSQL on the PATH or in /usr/lib/postgresql; install its server")
        })?;
        let mut run = Command::new("sh");
        run.args(["-c", RUN, "evertask-pg"]).arg(dir).arg(programs).arg(runner.to_string()).arg(options(dir, more));
        let mut server =
            run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()?;
        let begun = Instant::now();
        while !dir.join("ready").exists() {
            if server.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("the server did not start: {log}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    drop(lock);
    Ok(url(dir))
}

/// It speaks on a socket in its folder, and nowhere else.
fn options(dir: &Path, more: &str) -> String {
    format!("-k {} -c listen_addresses= -c max_connections=300 -c autovacuum_naptime=5s {more}", dir.display())
}

fn url(dir: &Path) -> String {
    format!("postgres://evertask@localhost/postgres?host={}", dir.display())
}

fn lock(dir: &Path) -> io::Result<File> {
    let mut path = dir.as_os_str().to_owned();
    path.push(".lock");
    let file = OpenOptions::new().create(true).append(true).open(PathBuf::from(path))?;
    file.lock()?;
    Ok(file)
}

/// The folder of the server's programs.
pub fn programs() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH");
    let on_path = on_path.iter().flat_map(std::env::split_paths);
    let mut installed: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    // The newest first.
    installed.sort();
    on_path.chain(installed.into_iter().rev()).find(|folder| folder.join("initdb").exists())
}

/// A server of its own for one test, which may stop it and start it again. It ends with this.
#[derive(Debug)]
pub struct Server {
    dir: PathBuf,
}

impl Server {
    /// Makes one and starts it.
    pub fn start() -> io::Result<Self> {
        let dir =
            std::env::temp_dir().join(format!("evertask-pg-{}-{}", std::process::id(), uuid::Uuid::now_v7().simple()));
        start(&dir, std::process::id(), "")?;
        Ok(Self { dir })
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        url(&self.dir)
    }

    /// Stops it: `fast` tells its sessions, `immediate` is a crash.
    pub fn stop(&self, mode: &str) -> io::Result<()> {
        self.control(&["-m", mode, "stop"])
    }

    /// Its folder: its socket is there, and its data below.
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// What it has written down.
    pub fn log(&self) -> io::Result<String> {
        fs::read_to_string(self.dir.join("data/log"))
    }

    /// Starts it again.
    pub fn start_again(&self) -> io::Result<()> {
        self.start_again_with("")
    }

    /// Starts it again, with more options: `-c ssl=on`, say.
    pub fn start_again_with(&self, more: &str) -> io::Result<()> {
        let options = options(&self.dir, more);
        let log = self.dir.join("data/log");
        self.control(&["-l", &log.display().to_string(), "-w", "-t", "60", "-o", &options, "start"])
    }

    fn control(&self, arguments: &[&str]) -> io::Result<()> {
        let programs = programs().ok_or_else(|| io::Error::other("the server's programs are gone"))?;
        let mut control = Command::new("sh");
        control.args(["-c", CONTROL, "evertask-pg"]).arg(&self.dir).arg(programs).args(arguments);
        let done = control.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if done.success() { Ok(()) } else { Err(io::Error::other(format!("pg_ctl {arguments:?}: {done}"))) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be stopped already. Its folder goes with it, and whoever watches it goes with that.
        let _ = self.stop("immediate");
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A schema of its own for one test. Its tables are made when a store opens it, and go with the server.
#[derive(Debug)]
pub struct Schema {
    url: String,
}

impl Schema {
    /// A schema that nobody else uses.
    pub fn new() -> io::Result<Self> {
        let server = server()?;
        let separator = if server.contains('?') { '&' } else { '?' };
        Ok(Self { url: format!("{server}{separator}schema=test_{}", uuid::Uuid::now_v7().simple()) })
    }

    /// The URL of a store in it.
    pub fn url(&self) -> &str {
        &self.url
    }
}
