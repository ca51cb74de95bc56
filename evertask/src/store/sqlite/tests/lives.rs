//! Other processes on the same file: a second store has its own connections, its own lock and its own writer.

use super::*;
use crate::failure::FailureKind;
use crate::store::{Beat, CancelOutcome, Selection};

#[tokio::test]
async fn what_a_dead_process_left_is_taken_over_at_once() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    crew.wants(&store, 1);
    add(&store, [task("a")]).await;
    let claim = crew.claimed().await[0].claim;
    // As a crash leaves it: the file is closed, and the worker is listed and has its task.
    store.close().await.unwrap();
    let store = open(&folder.file());
    assert_eq!(state(&store, claim.id).await, TaskState::Running);
    let mut next = Crew::attach(&store).await;
    next.wants(&store, 1);
    let again = next.claimed().await;
    assert_eq!((again[0].claim.fence, again[0].crashes), (2, 1));
    assert_eq!(store.attempts(claim.id).await.unwrap()[0].report.kind, FailureKind::Crash);
    assert_eq!(store.workers().await.unwrap().len(), 1);
    assert_eq!(store.beat(crew.id).await, Ok(Beat::Lapsed));
    assert_sound(&store).await;
}

#[tokio::test]
async fn what_a_living_process_has_is_left_to_it() {
    let folder = Folder::new();
    let (ours, theirs) = (open(&folder.file()), open(&folder.file()));
    let mut crew = Crew::attach(&ours).await;
    crew.wants(&ours, 1);
    add(&ours, [task("a")]).await;
    let claim = crew.claimed().await[0].claim;
    let mut other = Crew::attach(&theirs).await;
    other.wants(&theirs, 1);
    other.got_nothing(&theirs).await;
    assert_eq!(theirs.workers().await.unwrap().len(), 2);
    crew.ends(&ours, claim, done([]));
    assert_eq!(crew.settled().await, [(claim, Settled::Committed)]);
}

#[tokio::test]
async fn what_another_process_adds_cancels_and_ends_is_seen() {
    let folder = Folder::new();
    let (ours, theirs) = (open(&folder.file()), open(&folder.file()));
    let mut crew = Crew::attach(&ours).await;
    crew.wants(&ours, 1);
    let new = task("a");
    add(&theirs, [new.clone()]).await;
    let claim = crew.claimed().await[0].claim;
    assert_eq!(claim.id, new.id);
    let answers = theirs.cancel(Selection::Ids(vec![new.id.into()])).await.unwrap();
    assert_eq!(answers, [(new.id.into(), CancelOutcome::Requested)]);
    let Some(Delivery::Cancel(claims)) = crew.inbox.recv().await else { panic!() };
    assert_eq!(claims, [claim]);
    let ended = theirs.ended(new.id.into());
    crew.ends(&ours, claim, Verdict::Cancelled { next: Follow::default() });
    ended.await.unwrap();
    assert_eq!(state(&theirs, new.id).await, TaskState::Cancelled);
}

#[tokio::test]
async fn a_worker_that_was_taken_for_dead_claims_nothing_more() {
    let folder = Folder::new();
    let (ours, theirs) = (open(&folder.file()), open(&folder.file()));
    let mut crew = Crew::attach(&ours).await;
    crew.wants(&ours, 2);
    add(&ours, [task("a")]).await;
    let claim = crew.claimed().await[0].claim;
    let peers = theirs.workers().await.unwrap();
    // A sign of life after the look spares it.
    ours.beat(crew.id).await.unwrap();
    assert_eq!(theirs.reclaim(peers).await.unwrap(), []);
    let peers = theirs.workers().await.unwrap();
    assert_eq!(theirs.reclaim(peers).await.unwrap(), [claim.id]);
    add(&ours, [task("b")]).await;
    assert_eq!(ours.beat(crew.id).await, Ok(Beat::Lapsed));
    crew.ends(&ours, claim, done([]));
    assert_eq!(crew.settled().await, [(claim, Settled::Fenced)]);
    crew.got_nothing(&ours).await;
    assert_sound(&ours).await;
}

#[tokio::test]
async fn whoever_waits_is_told_and_whoever_left_is_forgotten() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let new = task("a");
    add(&store, [new.clone()]).await;
    store.ended(TaskId::new().into()).await.unwrap();
    drop(store.ended(new.id.into()));
    assert!(!store.waiters.any());
    let ended = store.ended(new.id.into());
    store.cancel(Selection::Ids(vec![new.id.into()])).await.unwrap();
    ended.await.unwrap();
    assert!(!store.waiters.any());
    store.ended(new.id.into()).await.unwrap();
}

#[tokio::test]
async fn a_worker_that_is_detached_gets_nothing_after_the_answer() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    crew.wants(&store, 5);
    store.detach(crew.id).await.unwrap();
    add(&store, [task("a")]).await;
    crew.wants(&store, 5);
    crew.got_nothing(&store).await;
    store.retire(crew.id).await.unwrap();
    assert_eq!(store.workers().await.unwrap(), []);
}
