//! Many who dispatch under the same keys at once, of whom half think better of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use evertask::rusqlite::TransactionBehavior;
use evertask::store::TaskFilter;
use evertask::{Dispatcher, prelude::*};
use tokio::sync::Barrier;

use crate::{Shop, double};

pub(crate) const RIVALS: u64 = 8;
pub(crate) const KEYS: u64 = 200;

/// Whether a rival commits what it has under a key. Of each key somebody does.
pub(crate) fn commits(rival: u64, key: u64) -> bool {
    (rival + key / 3).is_multiple_of(2)
}

pub(crate) fn key_of(key: u64) -> String {
    format!("order-{key}")
}

/// There is one task of each key, and it is the one that everybody was given who was given any.
pub(crate) async fn check(dispatcher: &Dispatcher, begun: Instant) {
    let mut by_key = BTreeMap::<String, usize>::new();
    for task in dispatcher.list(TaskFilter::new().limit(10_000)).await.unwrap() {
        *by_key.entry(task.key.unwrap()).or_default() += 1;
    }
    let doubled = by_key.values().filter(|count| **count > 1).count();
    let lost = (0..KEYS).filter(|key| !by_key.contains_key(&key_of(*key))).count();
    println!(
        "{RIVALS} rivals, {KEYS} keys, half of them rolled back, in {:.2} s: {doubled} doubled, {lost} lost",
        begun.elapsed().as_secs_f64()
    );
    assert_eq!((doubled, lost, by_key.len() as u64), (0, 0, KEYS));
    assert_eq!(dispatcher.verify().await.unwrap(), []);
}

#[test]
fn somebody_commits_each_key_and_half_of_all_do_not() {
    assert!((0..KEYS).all(|key| (0..RIVALS).any(|rival| commits(rival, key))));
    let all = (0..KEYS).flat_map(|key| (0..RIVALS).map(move |rival| commits(rival, key)));
    let committing = all.filter(|commits| *commits).count() as u64;
    assert!(committing.abs_diff(RIVALS * KEYS / 2) <= RIVALS * KEYS / 20, "{committing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_is_had_once_in_a_file() {
    let shop = Arc::new(Shop::open().await);
    let (barrier, begun) = (Arc::new(Barrier::new(usize::try_from(RIVALS).unwrap())), Instant::now());
    let mut rivals = tokio::task::JoinSet::new();
    for rival in 0..RIVALS {
        let (shop, barrier) = (shop.clone(), barrier.clone());
        rivals.spawn(async move {
            barrier.wait().await;
            tokio::task::spawn_blocking(move || {
                let mut conn = shop.connect();
                conn.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
                for key in 0..KEYS {
                    let mut tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
                    let work = double { number: 1 }.key(key_of(key));
                    let task = shop.dispatcher.dispatch_in(&mut tx, work).unwrap();
                    if commits(rival, key) {
                        tx.commit().unwrap();
                    } else {
                        drop(tx);
                    }
                    if task.is_existing() {
                        let there =
                            conn.query_row("SELECT 1 FROM task WHERE id = ?1", [task.id().uuid().as_bytes()], |_| {
                                Ok(())
                            });
                        assert!(there.is_ok(), "key {key} was said to be taken, and is not");
                    }
                }
            })
            .await
            .unwrap();
        });
    }
    while let Some(done) = rivals.join_next().await {
        done.unwrap();
    }
    check(&shop.dispatcher, begun).await;
}
