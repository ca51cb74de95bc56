//! What nodes cost that have nothing to do.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use evertask::prelude::*;
use evertask::registry::Registry;
use evertask::testing::postgres::Server;
use evertask::{Dispatcher, Queue};
use evertask_tests::full;
use evertask_tests::proxy::Proxy;

const NODES: u32 = 4;

#[task]
async fn rest() -> Result<(), std::convert::Infallible> {
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_node_asks_less_than_once_a_second() {
    let server = Server::start().unwrap();
    let proxy = Proxy::start(server.folder(), Duration::ZERO).await;
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        let dispatcher = Dispatcher::open(&proxy.url("idle")).await.unwrap();
        let worker = dispatcher.worker().registry(Registry::default().add::<rest>()).only_named_queues();
        let worker = worker.queue("default", Queue::new().concurrency(8)).start().await.unwrap();
        nodes.push((dispatcher, worker));
    }
    let lasts = Duration::from_secs(if full() { 60 } else { 15 });
    // Let them settle; then each second is like the next.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = (proxy.transactions(), proxy.statements());
    tokio::time::sleep(lasts).await;
    let per_node = |before: u64, after: u64| {
        f64::from(u32::try_from(after - before).unwrap()) / f64::from(NODES) / lasts.as_secs_f64()
    };
    let transactions = per_node(before.0, proxy.transactions());
    let statements = per_node(before.1, proxy.statements());
    println!("{NODES} idle nodes: {transactions:.2} transactions, of {statements:.2} statements, a second each");
    assert!(transactions > 0.0, "nothing was counted, which proves nothing");
    assert!(transactions < 1.0 && statements < 4.0);
    // The next task is picked up at once, all the same.
    nodes[0].0.dispatch(rest {}).await.unwrap().wait().await.unwrap();
    for (dispatcher, worker) in nodes {
        worker.shutdown().await;
        dispatcher.close().await.unwrap();
    }
}
