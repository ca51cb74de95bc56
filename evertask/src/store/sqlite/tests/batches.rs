//! Group commit: what shares a transaction does not share its fate, and what was undone is undone in memory too.

use super::*;
use crate::store::StoreError;

#[tokio::test]
async fn a_request_that_fails_does_not_fail_its_neighbours() {
    let folder = Folder::new();
    let store = open(&folder.file());
    // The writer is kept busy, so that what follows is one batch.
    let busy = raw(&folder.file());
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = store.dispatch(vec![NewWork::Task(task("a"))]);
    let run = RunId::new();
    let bad = NewRun { first: NewTask { key: Some("k".to_owned()), ..step(run, "pack") }, ..new_run(run) };
    let good = NewTask { key: Some("k".to_owned()), ..task("pack") };
    let before = store.dispatch(vec![NewWork::Task(good)]);
    let failing = store.dispatch(vec![NewWork::Run(Box::new(bad))]);
    let after = store.dispatch(vec![NewWork::Task(task("b"))]);
    busy.execute_batch("COMMIT").unwrap();
    first.await.unwrap();
    assert!(!before.await.unwrap()[0].existing);
    assert!(matches!(failing.await, Err(StoreError::Refused { .. })));
    assert!(!after.await.unwrap()[0].existing);
    assert_eq!(store.run(run).await.unwrap(), None);
    assert_eq!(store.tasks(crate::store::TaskFilter::default()).await.unwrap().len(), 3);
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_settle_that_fails_comes_back_and_its_slots_count() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    crew.wants(&store, 1);
    add(&store, [task("a")]).await;
    let claim = crew.claimed().await[0].claim;
    let run = RunId::new();
    let bad = NewRun { first: NewTask { id: claim.id, ..step(run, "pack") }, ..new_run(run) };
    let next = Follow { work: vec![NewWork::Run(Box::new(bad))], ..Follow::default() };
    crew.ends(&store, claim, Verdict::Succeeded { output: b"1".to_vec(), next });
    let Some(Delivery::Unsettled { finished, error }) = crew.inbox.recv().await else { panic!() };
    assert!(matches!(error, StoreError::Refused { .. }) && finished[0].claim == claim);
    assert_eq!(state(&store, claim.id).await, TaskState::Running);
    // Its slot is free: what comes next is claimed.
    add(&store, [task("b")]).await;
    assert_eq!(crew.claimed().await[0].name, "b");
    // And it can be ended still.
    store.settle(crew.id, vec![Finished { claim, verdict: done([]), notes: Notes::default() }], Vec::new());
    assert_eq!(crew.settled().await, [(claim, Settled::Committed)]);
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_continuation_is_handed_over_in_the_transaction_that_made_it() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    add(&store, [task("a"), task("a")]).await;
    crew.wants(&store, 1);
    let claim = crew.claimed().await[0].claim;
    let next = task("b");
    crew.ends(&store, claim, done([next.clone()]));
    assert_eq!(crew.settled().await, [(claim, Settled::Committed)]);
    let claimed = crew.claimed().await;
    assert_eq!(claimed.iter().map(|task| task.claim).collect::<Vec<_>>(), [Claim { id: next.id, fence: 1 }]);
    // The same end again is fenced, and adds nothing.
    crew.ends(&store, claim, done([task("b")]));
    assert_eq!(crew.settled().await, [(claim, Settled::Fenced)]);
    assert_eq!(crew.claimed().await[0].name, "a");
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_continuation_does_not_overtake_what_is_more_urgent() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    add(&store, [task("a")]).await;
    crew.wants(&store, 1);
    let claim = crew.claimed().await[0].claim;
    let urgent = NewTask { priority: 5, ..task("a") };
    add(&store, [urgent.clone()]).await;
    crew.ends(&store, claim, done([task("b")]));
    crew.settled().await;
    assert_eq!(crew.claimed().await[0].claim.id, urgent.id);
    assert_sound(&store).await;
}

#[tokio::test]
async fn nothing_is_lost_on_the_way_to_close() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let replies: Vec<_> = (0..100).map(|_| store.dispatch(vec![NewWork::Task(task("a"))])).collect();
    let mut crew = Crew::attach(&store).await;
    crew.wants(&store, 1);
    let claim = crew.claimed().await[0].claim;
    store.close().await.unwrap();
    for reply in replies {
        reply.await.unwrap();
    }
    crew.ends(&store, claim, done([]));
    let Some(Delivery::Unsettled { error, .. }) = crew.inbox.recv().await else { panic!() };
    assert_eq!(error, StoreError::Closed);
}

#[tokio::test]
async fn a_dispatch_whose_reply_is_dropped_is_still_done() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let new = task("a");
    drop(store.dispatch(vec![NewWork::Task(new.clone())]));
    add(&store, [task("b")]).await;
    assert_eq!(state(&store, new.id).await, TaskState::Ready);
}

#[tokio::test]
async fn more_dispatches_than_there_is_room_for_wait_for_their_turn() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let busy = raw(&folder.file());
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    let many = super::super::mailbox::MOST_WAITING + 10;
    let replies: Vec<_> = (0..many).map(|_| store.dispatch(vec![NewWork::Task(task("a"))])).collect();
    busy.execute_batch("COMMIT").unwrap();
    for reply in replies {
        reply.await.unwrap();
    }
    assert_sound(&store).await;
}
