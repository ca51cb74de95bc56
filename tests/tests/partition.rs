//! Two nodes on one server, of which one is cut off: one way, the other way, both ways, and in a black hole where
//! nobody is told. And a worker whose file is locked by another program.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use evertask::prelude::*;
use evertask::registry::Registry;
use evertask::store::{TaskFilter, TaskState};
use evertask::testing::postgres::Server;
use evertask::{DispatchError, Dispatcher, Queue, TaskId, Worker};
use evertask_tests::full;
use evertask_tests::process::Place;
use evertask_tests::proxy::{Cut, Proxy};
use evertask_tests::record::idle;
use evertask_tests::warnings;
use tokio::sync::watch;

const CUTS: [Cut; 4] = [Cut::ToServer, Cut::ToNode, Cut::Both, Cut::BlackHole];
/// Long ones, of which some are on each node when one is cut off.
const LONG: u32 = 8;
/// A cut lasts for so many leases.
const LEASES: u32 = 3;
/// After a cut the node works again this long after a lease at the latest.
const HEALS: Duration = Duration::from_secs(2);

/// One handler, from its call to its return, or its drop.
#[derive(Debug, Clone)]
struct Spell {
    task: TaskId,
    begun: Instant,
    ended: Option<Instant>,
    returned: bool,
}

/// What the handlers of one node did.
struct Node {
    name: &'static str,
    spells: Mutex<Vec<Spell>>,
    running: watch::Sender<usize>,
}

impl Node {
    fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, spells: Mutex::default(), running: watch::Sender::new(0) })
    }

    fn spells(&self) -> Vec<Spell> {
        self.spells.lock().unwrap().clone()
    }
}

/// A handler that runs.
struct Running<'n> {
    node: &'n Node,
    index: usize,
}

impl<'n> Running<'n> {
    fn begin(node: &'n Node, task: TaskId) -> Self {
        let mut spells = node.spells.lock().unwrap();
        spells.push(Spell { task, begun: Instant::now(), ended: None, returned: false });
        node.running.send_modify(|running| *running += 1);
        Self { node, index: spells.len() - 1 }
    }

    fn returns(self) {
        self.node.spells.lock().unwrap()[self.index].returned = true;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.node.spells.lock().unwrap()[self.index].ended = Some(Instant::now());
        self.node.running.send_modify(|running| *running -= 1);
    }
}

#[task]
async fn spell(millis: u64, node: &Node, cx: &Context) -> Result<String, DispatchError> {
    let running = Running::begin(node, cx.id());
    cx.dispatch(seal { of: cx.id() })?;
    tokio::time::sleep(Duration::from_millis(millis)).await;
    running.returns();
    Ok(node.name.to_owned())
}

/// For one node alone.
#[task(queue = "lonely")]
async fn lonely(node: &Node, cx: &Context) -> Result<(), Infallible> {
    Running::begin(node, cx.id()).returns();
    Ok(())
}

/// What follows each success: two of them would be two commits.
#[task]
async fn seal(of: TaskId) -> Result<TaskId, Infallible> {
    Ok(of)
}

async fn start(dispatcher: &Dispatcher, node: &Arc<Node>, lease: Duration) -> Worker {
    let known = Registry::default().add::<spell>().add::<seal>().add::<lonely>();
    let worker = dispatcher.worker().registry(known).data_dyn(node.clone()).lease(lease).max_crashes(1_000);
    let worker = worker.only_named_queues().queue("default", Queue::new().concurrency(LONG));
    let worker = if node.name == "one" { worker.queue("lonely", Queue::new().concurrency(2)) } else { worker };
    worker.start().await.unwrap()
}

/// What one cut came to.
struct Round {
    stopped: usize,
    last_stop: Duration,
    /// Not, if the node itself was back first.
    taken_over: Option<Duration>,
    healed: Duration,
}

async fn cut_off(lease: Duration, rounds: u32) {
    warnings::listen();
    let server = Server::start().unwrap();
    let (to_one, to_other) =
        (Proxy::start(server.folder(), Duration::ZERO).await, Proxy::start(server.folder(), Duration::ZERO).await);
    let observer = Dispatcher::open(&format!("{}&schema=nodes", server.url())).await.unwrap();
    let (one, other) = (Node::new("one"), Node::new("other"));
    let at_one = Dispatcher::open(&to_one.url("nodes")).await.unwrap();
    let at_other = Dispatcher::open(&to_other.url("nodes")).await.unwrap();
    let workers = (start(&at_one, &one, lease).await, start(&at_other, &other, lease).await);

    let mut spells = 0;
    for cut in (0..rounds).flat_map(|_| CUTS) {
        let round = one_cut(&observer, (&to_one, cut), &one, (&at_other, &other), lease).await;
        spells += LONG * 2;
        println!(
            "{cut:?}: {} handlers were stopped, the last {:.2?} after the cut of {LEASES} leases of {lease:?}; \
             taken over after {:.2?}; the node worked again {:.2?} after it was healed",
            round.stopped, round.last_stop, round.taken_over, round.healed
        );
        if round.taken_over.is_none() {
            println!("nobody took over; {:#?}", warnings::that_say(""));
        }
        assert!(round.stopped > 0, "no handler was running when the node was cut off, which proves nothing");
        assert!(round.last_stop <= lease, "a handler ran on for {:?}", round.last_stop);
        assert!(round.healed <= lease + HEALS, "it took {:?} to heal", round.healed);
    }
    let seals = observer.list(TaskFilter::new().name("seal").limit(10_000)).await.unwrap();
    let mut sealed: Vec<TaskId> =
        seals.iter().map(|seal| serde_json::from_slice(seal.output.as_deref().unwrap()).unwrap()).collect();
    sealed.sort_unstable();
    sealed.dedup();
    let doubled = seals.len() - sealed.len();
    println!("{spells} tasks, {} committed, {doubled} twice", sealed.len());
    assert_eq!((sealed.len(), doubled), (spells.try_into().unwrap(), 0));
    let all = observer.list(TaskFilter::new().limit(10_000)).await.unwrap();
    assert!(all.iter().all(|task| task.state == TaskState::Succeeded && task.failures == 0));
    assert_eq!(observer.verify().await.unwrap(), []);
    workers.0.shutdown().await;
    workers.1.shutdown().await;
}

async fn one_cut(
    observer: &Dispatcher,
    (way, cut): (&Proxy, Cut),
    one: &Arc<Node>,
    (at_other, other): (&Dispatcher, &Arc<Node>),
    lease: Duration,
) -> Round {
    let millis = u64::try_from((lease * LEASES).as_millis()).unwrap();
    observer.dispatch_all((0..LONG * 2).map(|_| spell { millis })).await.unwrap();
    one.running.subscribe().wait_for(|running| *running >= 2).await.unwrap();
    let at_cut = Instant::now();
    way.cut(cut);
    // It has room for what the first loses.
    let spare = start(at_other, other, lease).await;
    // Only this node has the queue.
    let own = observer.dispatch(lonely {}).await.unwrap();
    tokio::time::sleep(lease * LEASES).await;
    let at_heal = Instant::now();
    way.heal();
    own.wait().await.unwrap();
    idle(observer).await.unwrap();
    spare.shutdown().await;

    let spells = one.spells();
    let cut_off: Vec<_> = spells.iter().filter(|spell| spell.begun < at_cut && spell.ended.unwrap() > at_cut).collect();
    let stopped = cut_off.iter().filter(|spell| !spell.returned).count();
    // Until it is healed nothing may run here after the lease, whenever it has begun.
    let before = spells.iter().filter(|spell| spell.begun < at_heal && spell.ended.unwrap() > at_cut);
    let last_stop = before.map(|spell| spell.ended.unwrap() - at_cut).max().unwrap_or_default();
    let lost: Vec<TaskId> = cut_off.iter().map(|spell| spell.task).collect();
    let others = other.spells();
    let taken_over = others.iter().filter(|spell| spell.begun > at_cut && lost.contains(&spell.task));
    let taken_over = taken_over.map(|spell| spell.begun - at_cut).min();
    let healed = spells.iter().filter(|spell| spell.task == own.id()).map(|spell| spell.begun).max().unwrap();
    Round { stopped, last_stop, taken_over, healed: healed.saturating_duration_since(at_heal) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_stops_in_time_and_comes_back() {
    if full() {
        cut_off(Duration::from_secs(2), 5).await;
    } else {
        cut_off(Duration::from_millis(1_200), 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_file_is_locked_stops_in_time_and_goes_on() {
    let lease = Duration::from_millis(1_200);
    let place = Place::new();
    let dispatcher = Dispatcher::open(&place.store()).await.unwrap();
    let node = Node::new("one");
    let worker = start(&dispatcher, &node, lease).await;
    let task = dispatcher.dispatch(spell { millis: 3_000 }).await.unwrap();
    node.running.subscribe().wait_for(|running| *running == 1).await.unwrap();
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    conn.busy_timeout(Duration::from_secs(5)).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    let locked = Instant::now();
    let is_stopped = async { node.running.subscribe().wait_for(|running| *running == 0).await.map(drop) };
    tokio::time::timeout(lease * 3, is_stopped).await.unwrap().unwrap();
    let stopped = locked.elapsed();
    conn.execute_batch("ROLLBACK").unwrap();
    assert_eq!(task.wait().await.unwrap(), "one");
    println!("stopped {stopped:.2?} after its file was locked, of a lease of {lease:?}");
    assert!(stopped <= lease, "it ran on for {stopped:?}");
    worker.shutdown().await;
    assert_eq!(dispatcher.verify().await.unwrap(), []);
}
