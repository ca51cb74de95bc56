//! Dispatching in a transaction of rusqlite.

use evertask::rusqlite::{Connection, TransactionBehavior};
use evertask::store::{StoreError, TaskFilter};
use evertask::{DispatchError, Dispatcher, OnKey, prelude::*};

use crate::effects::start;
use crate::{DoubleAndOne, Shop, double};

#[tokio::test]
async fn what_was_dispatched_commits_with_the_rest() {
    let shop = Shop::open().await;
    let worker = start(&shop.dispatcher).await;
    let mut conn = shop.connect();
    let mut tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    tx.execute("INSERT INTO sale VALUES (1, 10)", []).unwrap();
    let task = shop.dispatcher.dispatch_in(&mut tx, double { number: 4 }).unwrap();
    let run = shop.dispatcher.dispatch_in(&mut tx, DoubleAndOne(double { number: 5 })).unwrap();
    assert!(shop.dispatcher.get(task.id()).await.unwrap().is_none(), "nobody sees it yet");
    tx.commit().unwrap();
    assert_eq!(task.wait().await.unwrap(), 8);
    assert_eq!(run.wait().await.unwrap(), 11);
    assert_eq!(shop.sales(), [(1, 10)]);
    worker.shutdown().await;
    assert_eq!(shop.dispatcher.verify().await.unwrap(), []);
}

#[tokio::test]
async fn what_was_rolled_back_never_was() {
    let shop = Shop::open().await;
    let mut conn = shop.connect();
    let mut tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    tx.execute("INSERT INTO sale VALUES (1, 10)", []).unwrap();
    let many = (0..3).map(|number| double { number }.key(format!("sale-{number}")));
    assert_eq!(shop.dispatcher.dispatch_all_in(&mut tx, many).unwrap().len(), 3);
    let part = tx.savepoint().unwrap();
    let mut part = part;
    shop.dispatcher.dispatch_in(&mut part, double { number: 9 }).unwrap();
    drop(part);
    assert_eq!(tx.query_row("SELECT count(*) FROM task", [], |row| row.get::<_, i64>(0)).unwrap(), 3);
    drop(tx);
    assert!(shop.dispatcher.list(TaskFilter::new()).await.unwrap().is_empty());
    assert_eq!(shop.sales(), []);
}

#[tokio::test]
async fn a_refused_dispatch_leaves_the_transaction_as_it_was() {
    let shop = Shop::open().await;
    let first = shop.dispatcher.dispatch(double { number: 1 }.key("one")).await.unwrap();
    let mut conn = shop.connect();
    let mut tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    tx.execute("INSERT INTO sale VALUES (1, 10)", []).unwrap();
    let again = shop.dispatcher.dispatch_in(&mut tx, double { number: 2 }.key("one")).unwrap();
    assert!(again.is_existing() && again.id() == first.id());
    let work = [double { number: 3 }.key("two"), double { number: 4 }.key("one").on_key(OnKey::Refuse)];
    let refused = shop.dispatcher.dispatch_all_in(&mut tx, work);
    assert!(matches!(refused, Err(DispatchError::KeyTaken { .. })), "{refused:?}");
    tx.commit().unwrap();
    assert_eq!(shop.sales(), [(1, 10)]);
    assert_eq!(shop.dispatcher.list(TaskFilter::new()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_transaction_of_another_file_or_store_is_an_error_that_says_so() {
    let shop = Shop::open().await;
    let other = shop.folder.path().join("other.db");
    for mut conn in [Connection::open(other).unwrap(), Connection::open_in_memory().unwrap()] {
        let mut tx = conn.transaction().unwrap();
        let refused = shop.dispatcher.dispatch_in(&mut tx, double { number: 1 }).unwrap_err();
        assert!(matches!(&refused, DispatchError::Store(StoreError::Foreign { .. })), "{refused}");
        assert!(refused.to_string().contains("shop.db"), "{refused}");
    }
    let memory = Dispatcher::open("memory:").await.unwrap();
    let mut conn = shop.connect();
    let mut tx = conn.transaction().unwrap();
    let refused = memory.dispatch_in(&mut tx, double { number: 1 }).unwrap_err();
    assert!(matches!(&refused, DispatchError::Store(StoreError::Foreign { .. })), "{refused}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_same_file_by_another_name_is_the_same() {
    let shop = Shop::open().await;
    let link = shop.folder.path().join("link.db");
    std::os::unix::fs::symlink(shop.file(), &link).unwrap();
    let mut conn = Connection::open(link).unwrap();
    let mut tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    shop.dispatcher.dispatch_in(&mut tx, double { number: 1 }).unwrap();
    tx.commit().unwrap();
    assert_eq!(shop.dispatcher.list(TaskFilter::new()).await.unwrap().len(), 1);
}
