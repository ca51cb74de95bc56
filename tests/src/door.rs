//! The door of a server that is down: counts who knocks, and lets nobody in.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::UnixListener;
use tokio::sync::oneshot;

/// What a server's socket is called.
const SOCKET: &str = ".s.PGSQL.5432";

/// Somebody knocked.
#[derive(Debug, Clone, Copy)]
pub struct Knock {
    /// When, since the door was there.
    pub at: Duration,
    /// Which process.
    pub process: u32,
}

/// The door. It must be gone before the server starts.
#[derive(Debug)]
pub struct Door {
    socket: PathBuf,
    close: oneshot::Sender<()>,
    thread: JoinHandle<Vec<Knock>>,
}

impl Door {
    /// Where this server was.
    pub fn of(url: &str) -> Self {
        let folder = url.rsplit_once("host=").unwrap().1;
        let socket = PathBuf::from(folder).join(SOCKET);
        // A server that crashed leaves it.
        let _ = std::fs::remove_file(&socket);
        let (close, closed) = oneshot::channel();
        let path = socket.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(watch(&path, closed))
        });
        Self { socket, close, thread }
    }

    /// Takes it away. Gives who knocked.
    pub fn close(self) -> Vec<Knock> {
        drop(self.close);
        let knocks = self.thread.join().unwrap();
        std::fs::remove_file(&self.socket).unwrap();
        knocks
    }
}

async fn watch(path: &std::path::Path, mut closed: oneshot::Receiver<()>) -> Vec<Knock> {
    let (door, since) = (UnixListener::bind(path).unwrap(), Instant::now());
    let mut knocks = Vec::new();
    loop {
        let came = tokio::select! {
            came = door.accept() => came.unwrap().0,
            _ = &mut closed => return knocks,
        };
        let process = came.peer_cred().unwrap().pid().unwrap();
        knocks.push(Knock { at: since.elapsed(), process: process.try_into().unwrap() });
    }
}

/// The most knocks of a process within a second, and those of the whole time for each second of it.
pub fn rates(knocks: &[Knock], process: u32, whole: Duration) -> (usize, f64) {
    let own: Vec<_> = knocks.iter().filter(|knock| knock.process == process).map(|knock| knock.at).collect();
    let within = |from: &Duration| own.iter().filter(|at| (*from..*from + Duration::from_secs(1)).contains(at)).count();
    #[allow(clippy::cast_precision_loss)]
    let mean = own.len() as f64 / whole.as_secs_f64();
    (own.iter().map(within).max().unwrap_or(0), mean)
}
