//! What ended in several transactions of one millisecond, of which none lists only what arrived after the other's.

use super::*;
use crate::store::{Keep, Prune, TaskFilter};

/// Of tasks that arrived in this order, the first and the fourth end in one transaction, and the second, the third and
/// the fifth in the next, at the same time.
async fn overlapping(store: &SqliteStore) -> Vec<TaskId> {
    let mut crew = Crew::attach(store).await;
    let tasks: Vec<_> = (0..5).map(|_| task("a")).collect();
    let ids = tasks.iter().map(|task| task.id).collect();
    add(store, tasks).await;
    crew.wants(store, 5);
    let claims: Vec<_> = crew.claimed().await.into_iter().map(|task| task.claim).collect();
    for ending in [&[0, 3][..], &[1, 2, 4]] {
        let end = |&task: &usize| Finished { claim: claims[task], verdict: done([]), notes: Notes::default() };
        store.settle(crew.id, ending.iter().map(end).collect(), Vec::new());
        assert!(crew.settled().await.iter().all(|(_, settled)| *settled == Settled::Committed));
    }
    ids
}

/// Removes so many, where none need be kept, and says which are left.
async fn prune(store: &SqliteStore, most: u32) -> (u64, Vec<TaskId>) {
    let succeeded = Keep { most: Some(0), since: None };
    let gone = store.prune(Prune { succeeded, most, ..Prune::default() }).await.unwrap();
    let left = store.tasks(TaskFilter::default()).await.unwrap();
    let mut left: Vec<_> = left.into_iter().map(|task| task.id).collect();
    left.sort_unstable();
    assert_sound(store).await;
    (gone, left)
}

#[tokio::test]
async fn what_ended_in_transactions_that_overlap_goes_by_arrival_and_none_is_skipped() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let ids = overlapping(&store).await;
    assert_eq!(prune(&store, 2).await, (2, ids[2..].to_vec()));
    assert_eq!(prune(&store, 1).await, (1, ids[3..].to_vec()));
    assert_eq!(prune(&store, 9).await, (2, Vec::new()));
}

#[tokio::test]
async fn one_of_what_ended_in_transactions_that_overlap_goes_alone() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let ids = overlapping(&store).await;
    assert_eq!(store.discard(vec![ids[2].into(), ids[0].into()]).await.unwrap(), 2);
    assert_eq!(prune(&store, 2).await, (2, vec![ids[4]]));
    assert_eq!(prune(&store, 2).await, (1, Vec::new()));
}

#[tokio::test]
async fn whoever_waits_is_told_of_each_end_in_transactions_that_overlap() {
    let folder = Folder::new();
    let (here, there) = (open(&folder.file()), open(&folder.file()));
    let mut crew = Crew::attach(&here).await;
    let tasks = [task("a"), task("a"), task("a")];
    let waits = |store: &SqliteStore| tasks.each_ref().map(|task| tokio::spawn(store.ended(task.id.into())));
    add(&here, tasks.clone()).await;
    let (waiting, elsewhere) = (waits(&here), waits(&there));
    crew.wants(&here, 3);
    let claims: Vec<_> = crew.claimed().await.into_iter().map(|task| task.claim).collect();
    for ending in [&[0, 2][..], &[1]] {
        let end = |&task: &usize| Finished { claim: claims[task], verdict: done([]), notes: Notes::default() };
        here.settle(crew.id, ending.iter().map(end).collect(), Vec::new());
        crew.settled().await;
    }
    for wait in waiting.into_iter().chain(elsewhere) {
        wait.await.unwrap().unwrap();
    }
    assert_sound(&here).await;
}
