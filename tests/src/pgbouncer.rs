//! A pooler in transaction mode, in front of a server of a test: pgbouncer, where there is one.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// It does not run as root.
const RUN: &str = r#"
if [ "$(id -u)" = 0 ]; then
    user=postgres; id -u "$user" >/dev/null 2>&1 || user=nobody
    chown -R "$user" "$1"
    exec setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$2" "$1/pgbouncer.ini"
fi
exec "$2" "$1/pgbouncer.ini"
"#;

/// pgbouncer. It ends with this.
#[derive(Debug)]
pub struct Pgbouncer {
    folder: tempfile::TempDir,
    child: Child,
    port: u16,
}

impl Pgbouncer {
    /// Starts one in front of the server whose socket is in this folder; none, where it is not installed.
    pub fn start(server: &Path) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
        let program = program.into_iter().find(|program| Path::new(program).exists())?;
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let config = format!(
            "[databases]\n* = host={} port=5432 user=evertask\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\nlogfile = {}/log\n",
            server.display(),
            folder.path().display()
        );
        fs::write(folder.path().join("pgbouncer.ini"), config).unwrap();
        let mut run = Command::new("sh");
        run.args(["-c", RUN, "pgbouncer"]).arg(folder.path()).arg(program);
        let child = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pooler = Self { folder, child, port };
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "pgbouncer does not start: {}", pooler.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(pooler)
    }

    /// The URL of a store behind it.
    pub fn url(&self, schema: &str) -> String {
        format!("postgres://evertask@127.0.0.1:{}/postgres?schema={schema}&pooler=transaction", self.port)
    }

    /// What it has written down.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Pgbouncer {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
