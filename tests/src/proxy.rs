//! The way from one node to the server: a proxy that can be slow, be cut, lose an answer, or deliver a commit late.
//!
//! It speaks TCP on 127.0.0.1 to the node, and the server's own socket behind. It knows two things of what passes
//! through: how many statements there are, and which message is a commit of the store.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What a commit of the store ends with, as its message says it.
const COMMIT: &[u8] = b"; COMMIT\0";
const NUMBERED: &[u8] = b"UPDATE node SET batch";

/// What does not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// What the node says waits.
    ToServer,
    /// What the server says waits.
    ToNode,
    /// Both wait.
    Both,
    /// Both, and connections that are there now, or are made meanwhile, stay dead for ever. Nobody is told.
    BlackHole,
}

/// What becomes of the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// It is answered.
    Usual,
    /// The server does it; its answer is lost, and the connection with it.
    Swallowed,
    /// The node loses the connection at once, and the server gets it after so many milliseconds.
    Late(u8),
}

/// The proxy. It ends with this.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: PathBuf,
    delay: Duration,
    cut: watch::Sender<Option<Cut>>,
    /// Connections from before the last black hole are dead.
    born: AtomicU64,
    dead_before: watch::Sender<u64>,
    next_commit: Mutex<Commit>,
    commits: AtomicU64,
    statements: AtomicU64,
    transactions: AtomicU64,
    connects: AtomicU64,
}

impl Proxy {
    /// Starts one to the server whose socket is in this folder. Each way takes so long.
    pub async fn start(folder: &Path, delay: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server: folder.join(".s.PGSQL.5432"),
            delay,
            cut: watch::Sender::new(None),
            born: AtomicU64::new(0),
            dead_before: watch::Sender::new(0),
            next_commit: Mutex::new(Commit::Usual),
            commits: AtomicU64::new(0),
            statements: AtomicU64::new(0),
            transactions: AtomicU64::new(0),
            connects: AtomicU64::new(0),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { port, shared, serving }
    }

    /// The URL of a store behind it.
    pub fn url(&self, schema: &str) -> String {
        format!("postgres://evertask@127.0.0.1:{}/postgres?schema={schema}&sslmode=disable", self.port)
    }

    /// Cuts it.
    pub fn cut(&self, cut: Cut) {
        if cut == Cut::BlackHole {
            self.shared.dead_before.send_replace(self.shared.born.load(Ordering::SeqCst));
        }
        self.shared.cut.send_replace(Some(cut));
    }

    /// Heals it.
    pub fn heal(&self) {
        if *self.shared.cut.borrow() == Some(Cut::BlackHole) {
            self.shared.dead_before.send_replace(self.shared.born.load(Ordering::SeqCst));
        }
        self.shared.cut.send_replace(None);
    }

    /// Says what becomes of the next commit.
    pub fn next_commit(&self, commit: Commit) {
        *self.shared.next_commit.lock().unwrap() = commit;
    }

    /// Whether what was to become of a commit has.
    pub fn is_done(&self) -> bool {
        *self.shared.next_commit.lock().unwrap() == Commit::Usual
    }

    /// How many commits of the store the server was given.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::SeqCst)
    }

    /// How many statements the server was given: transactions' begins and ends count too.
    pub fn statements(&self) -> u64 {
        self.shared.statements.load(Ordering::SeqCst)
    }

    /// How many transactions were begun.
    pub fn transactions(&self) -> u64 {
        self.shared.transactions.load(Ordering::SeqCst)
    }

    /// How many connections were made.
    pub fn connects(&self) -> u64 {
        self.shared.connects.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (node, _) = accepted.unwrap();
                node.set_nodelay(true).unwrap();
                connections.spawn(Arc::clone(&shared).connect(node));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

impl Shared {
    async fn connect(self: Arc<Self>, node: TcpStream) {
        let number = self.born.fetch_add(1, Ordering::SeqCst);
        self.connects.fetch_add(1, Ordering::SeqCst);
        // A server that is stopped lets nobody in.
        let Ok(server) = UnixStream::connect(&self.server).await else { return };
        let (from_node, to_node) = node.into_split();
        let (from_server, to_server) = server.into_split();
        let fate = Arc::new(AtomicU8::new(Fate::Usual as u8));
        let up = self.up(from_node, to_server, number, &fate);
        let down = self.down(from_server, to_node, number, &fate);
        tokio::select! {
            () = async { tokio::join!(up, down); } => {}
            () = self.forget_commit(&fate) => {}
        }
    }

    /// From the node to the server.
    async fn up(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        number: u64,
        fate: &AtomicU8,
    ) {
        let (mut buffer, mut messages) = (vec![0; 1 << 16], Messages::default());
        loop {
            let Some(read) = self.read(&mut from, &mut buffer).await else { break };
            self.wait(Cut::ToServer, number).await;
            let (statements, transactions) = messages.count(&buffer[..read]);
            self.statements.fetch_add(statements, Ordering::SeqCst);
            self.transactions.fetch_add(transactions, Ordering::SeqCst);
            if is_commit(&buffer[..read]) {
                let next = std::mem::replace(&mut *self.next_commit.lock().unwrap(), Commit::Usual);
                self.commits.fetch_add(1, Ordering::SeqCst);
                match next {
                    Commit::Usual => {}
                    Commit::Swallowed => fate.store(Fate::Swallow as u8, Ordering::SeqCst),
                    Commit::Late(millis) => {
                        fate.store(Fate::Cut as u8, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(millis.into())).await;
                    }
                }
            }
            if to.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
        self.wait(Cut::ToServer, number).await;
        let _ = to.shutdown().await;
    }

    /// From the server to the node.
    async fn down(&self, mut from: impl AsyncRead + Unpin, to: impl AsyncWrite + Unpin, number: u64, fate: &AtomicU8) {
        let (mut buffer, mut to) = (vec![0; 1 << 16], Some(to));
        loop {
            let read = tokio::select! {
                read = self.read(&mut from, &mut buffer) => read,
                // The node is told at once that the connection is gone, and the server is not.
                () = cut_short(fate), if to.is_some() => { to = None; continue }
            };
            let Some(read) = read else { break };
            if fate.load(Ordering::SeqCst) == Fate::Swallow as u8 {
                fate.store(Fate::Gone as u8, Ordering::SeqCst);
                return;
            }
            self.wait(Cut::ToNode, number).await;
            if let Some(to) = &mut to
                && to.write_all(&buffer[..read]).await.is_err()
            {
                break;
            }
        }
        self.wait(Cut::ToNode, number).await;
        if let Some(mut to) = to {
            let _ = to.shutdown().await;
        }
    }

    async fn read(&self, from: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> Option<usize> {
        let read = from.read(buffer).await.ok().filter(|read| *read > 0)?;
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        Some(read)
    }

    /// Waits until this way is open; for ever, for a connection that is dead.
    async fn wait(&self, way: Cut, number: u64) {
        let (mut cut, dead) = (self.cut.subscribe(), self.dead_before.subscribe());
        let is_open =
            |cut: &Option<Cut>| cut.is_none_or(|cut| cut != way && matches!(cut, Cut::ToServer | Cut::ToNode));
        let _ = cut.wait_for(is_open).await;
        if number < *dead.borrow() {
            std::future::pending::<()>().await;
        }
    }

    /// The answer to its commit is lost: both sides lose the connection.
    async fn forget_commit(&self, fate: &AtomicU8) {
        until(fate, Fate::Gone).await;
    }
}

/// What becomes of one connection.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Usual,
    Swallow,
    Gone,
    Cut,
}

async fn cut_short(fate: &AtomicU8) {
    until(fate, Fate::Cut).await;
}

async fn until(fate: &AtomicU8, wanted: Fate) {
    while fate.load(Ordering::SeqCst) != wanted as u8 {
        // The proxy's own resolution.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn is_commit(bytes: &[u8]) -> bool {
    let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    has(COMMIT) && has(NUMBERED)
}

/// Where messages of a node begin, in a stream that comes in pieces.
#[derive(Debug, Default)]
struct Messages {
    greeted: bool,
    head: Vec<u8>,
    left: usize,
}

impl Messages {
    /// How many statements begin in this piece: simple ones, and executions of prepared ones. And how many of them
    /// begin a transaction.
    fn count(&mut self, mut bytes: &[u8]) -> (u64, u64) {
        let (mut statements, mut transactions) = (0, 0);
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            // The first message has no kind.
            let length = if self.greeted { 5 } else { 4 };
            if self.head.len() == length {
                let said: [u8; 4] = self.head[length - 4..].try_into().unwrap();
                self.left = usize::try_from(u32::from_be_bytes(said)).unwrap() - 4;
                statements += u64::from(self.greeted && matches!(self.head[0], b'Q' | b'E'));
                transactions += u64::from(self.greeted && self.head[0] == b'Q' && begins(bytes));
                self.head.clear();
                self.greeted = true;
            }
        }
        (statements, transactions)
    }
}

/// Prepared statements are within a transaction, and a simple one that does not end it begins one, or is one alone.
fn begins(script: &[u8]) -> bool {
    ![b"COMMIT".as_slice(), b"ROLLBACK", b"UPDATE node"].iter().any(|end| script.starts_with(end))
}
