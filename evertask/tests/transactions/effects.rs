//! What handlers write in the transactions that complete their tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use evertask::rusqlite;
use evertask::store::StoreError;
use evertask::{Dispatcher, FailureKind, RunError, prelude::*, workflow};

use crate::Shop;

/// How often effects went wrong on purpose.
#[derive(Default)]
struct Misfortune {
    left: AtomicU32,
    seen: AtomicU32,
}

impl Misfortune {
    fn strikes(&self) -> bool {
        let strikes = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        self.seen.fetch_add(u32::from(strikes), Ordering::SeqCst);
        strikes
    }
}

fn insert(tx: &rusqlite::Connection, id: i64, amount: i64) -> rusqlite::Result<()> {
    tx.execute("INSERT INTO sale VALUES (?1, ?2)", (id, amount)).map(drop)
}

#[task(retry(times = 3, backoff = fixed("1ms")))]
async fn sell(id: i64, amount: i64, misfortune: &Arc<Misfortune>, cx: &Context) -> Result<i64, StoreError> {
    cx.on_commit(move |tx| insert(tx, id, amount))?;
    let misfortune = misfortune.clone();
    cx.on_commit(move |tx| {
        insert(tx, id + 1_000, amount)?;
        assert!(id != 13, "an unlucky number");
        if misfortune.strikes() { Err(rusqlite::Error::InvalidQuery) } else { Ok(()) }
    })?;
    cx.log(format!("sold {id}"));
    Ok(id)
}

#[task]
async fn apologize(reason: String) -> Result<String, std::convert::Infallible> {
    Ok(reason)
}

workflow! {
    /// A sale that may not be written.
    Sale<sell -> String> {
        sell {
            on_ok(id)     => done(format!("sold {id}")),
            on_failure(f) => apologize { reason: f.to_string() },
        }
        apologize { on_ok(reason) => done(reason) }
    }
}

/// A worker without any misfortune.
pub(crate) async fn start(dispatcher: &Dispatcher) -> evertask::Worker {
    outfit(dispatcher).start().await.unwrap()
}

/// A worker with something of all that any task here needs.
pub(crate) fn outfit(dispatcher: &Dispatcher) -> evertask::WorkerBuilder {
    let worker = dispatcher.worker().data(Arc::new(Misfortune::default()));
    #[cfg(all(feature = "postgres", unix))]
    let worker = crate::completing::outfit(worker);
    worker
}

async fn with_worker(shop: &Shop, misfortunes: u32) -> (Arc<Misfortune>, evertask::Worker) {
    let misfortune = Arc::new(Misfortune { left: misfortunes.into(), ..Misfortune::default() });
    let worker = outfit(&shop.dispatcher).data(misfortune.clone()).start().await.unwrap();
    (misfortune, worker)
}

#[tokio::test]
async fn an_effect_commits_with_its_task() {
    let shop = Shop::open().await;
    let (_, worker) = with_worker(&shop, 0).await;
    let sales: Vec<_> = (0..20).map(|id| sell { id: id + 20, amount: 5 }).collect();
    for sale in shop.dispatcher.dispatch_all(sales).await.unwrap() {
        sale.wait().await.unwrap();
    }
    worker.shutdown().await;
    assert_eq!(shop.sales().len(), 40);
    assert_eq!(shop.dispatcher.verify().await.unwrap(), []);
}

#[tokio::test]
async fn an_effect_that_fails_leaves_nothing_and_its_task_is_tried_again() {
    let shop = Shop::open().await;
    let (misfortune, worker) = with_worker(&shop, 2).await;
    let sale = shop.dispatcher.dispatch(sell { id: 1, amount: 5 }).await.unwrap();
    assert_eq!(sale.wait().await.unwrap(), 1);
    worker.shutdown().await;
    assert_eq!(misfortune.seen.load(Ordering::SeqCst), 2);
    assert_eq!(shop.sales(), [(1, 5), (1_001, 5)]);
    let attempts = shop.dispatcher.attempts(sale.id()).await.unwrap();
    assert!(attempts.iter().all(|attempt| attempt.report.kind == FailureKind::NotCommitted), "{attempts:?}");
    assert_eq!(attempts.len(), 2);
    assert_eq!(shop.dispatcher.log(sale.id()).await.unwrap().len(), 3, "what it logged is kept");
    assert_eq!(shop.dispatcher.verify().await.unwrap(), []);
}

#[tokio::test]
async fn an_effect_that_can_not_be_written_fails_its_task_alone() {
    let shop = Shop::open().await;
    let (_, worker) = with_worker(&shop, 0).await;
    let sales = (1..=3).map(|id| sell { id, amount: id - 2 }).collect::<Vec<_>>();
    let sales = shop.dispatcher.dispatch_all(sales).await.unwrap();
    let ends = [sales[0].wait().await, sales[1].wait().await, sales[2].wait().await];
    for end in &ends[..2] {
        let Err(RunError::Failed { report, .. }) = end else { panic!("{end:?}") };
        assert_eq!((report.kind, report.attempts), (FailureKind::NotCommitted, 4));
        assert!(report.message.contains("CHECK constraint failed"), "{report}");
    }
    assert_eq!(ends[2].as_ref().unwrap(), &3);
    worker.shutdown().await;
    assert_eq!(shop.sales(), [(3, 1), (1_003, 1)]);
}

#[tokio::test]
async fn a_panic_of_an_effect_is_a_failure_and_what_follows_it_is_routed() {
    let shop = Shop::open().await;
    let (_, worker) = with_worker(&shop, 0).await;
    let run = shop.dispatcher.dispatch(Sale(sell { id: 13, amount: 5 })).await.unwrap();
    let end = run.wait().await.unwrap();
    assert!(end.contains("an unlucky number"), "{end}");
    let run = shop.dispatcher.dispatch(Sale(sell { id: 14, amount: 5 })).await.unwrap();
    assert_eq!(run.wait().await.unwrap(), "sold 14");
    worker.shutdown().await;
    assert_eq!(shop.sales(), [(14, 5), (1_014, 5)]);
    assert_eq!(shop.dispatcher.verify().await.unwrap(), []);
}

#[tokio::test]
async fn other_stores_say_at_once_that_they_have_none() {
    let dispatcher = Dispatcher::open("memory:").await.unwrap();
    let worker = start(&dispatcher).await;
    let sale = dispatcher.dispatch(sell { id: 1, amount: 5 }.retry(evertask::Retry::NONE)).await.unwrap();
    let Err(RunError::Failed { report, .. }) = sale.wait().await else { panic!() };
    assert!(report.message.contains("needs the SQLite store"), "{report}");
    worker.shutdown().await;
}
