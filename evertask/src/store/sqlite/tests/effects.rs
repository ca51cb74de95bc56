//! What commits with a task, as the writer does it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::store::OnCommit;

/// A success that counts how often its effect was called, and writes a row.
fn writes(calls: &Arc<AtomicU32>) -> Verdict {
    let calls = calls.clone();
    let mut on_commit = OnCommit::default();
    on_commit.push(move |tx| {
        calls.fetch_add(1, Ordering::SeqCst);
        tx.execute("INSERT INTO mine VALUES (1)", [])?;
        Ok(())
    });
    Verdict::Succeeded { output: b"null".to_vec(), next: Follow { on_commit, ..Follow::default() } }
}

fn mine(file: &Path) -> i64 {
    raw(file).query_row("SELECT count(*) FROM mine", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_lost_claim_writes_nothing() {
    let folder = Folder::new();
    let store = open(&folder.file());
    raw(&folder.file()).execute_batch("CREATE TABLE mine (n INTEGER)").unwrap();
    let mut crew = Crew::attach(&store).await;
    crew.wants(&store, 1);
    add(&store, [task("a")]).await;
    let claim = crew.claimed().await[0].claim;
    let calls = Arc::new(AtomicU32::new(0));
    crew.ends(&store, Claim { fence: claim.fence + 1, ..claim }, writes(&calls));
    assert_eq!(crew.settled().await[0].1, Settled::Fenced);
    crew.ends(&store, claim, writes(&calls));
    assert_eq!(crew.settled().await, [(claim, Settled::Committed)]);
    crew.ends(&store, claim, writes(&calls));
    assert_eq!(crew.settled().await, [(claim, Settled::Fenced)]);
    assert_eq!((calls.load(Ordering::SeqCst), mine(&folder.file())), (1, 1));
    assert_sound(&store).await;
}

#[tokio::test]
async fn one_that_fails_leaves_the_others_of_its_batch_alone() {
    let folder = Folder::new();
    let store = open(&folder.file());
    raw(&folder.file()).execute_batch("CREATE TABLE mine (n INTEGER UNIQUE)").unwrap();
    let mut crew = Crew::attach(&store).await;
    crew.wants(&store, 3);
    add(&store, [task("a"), task("a"), task("b")]).await;
    let claimed = crew.claimed().await;
    let calls = Arc::new(AtomicU32::new(0));
    let verdicts = [writes(&calls), writes(&calls), done([])];
    let finished = std::iter::zip(&claimed, verdicts).map(|(claimed, verdict)| Finished {
        claim: claimed.claim,
        verdict,
        notes: Notes::default(),
    });
    store.settle(crew.id, finished.collect(), Vec::new());
    let Some(Delivery::Refused(refused)) = crew.inbox.recv().await else { panic!() };
    assert_eq!((refused.len(), refused[0].0), (1, claimed[1].claim));
    assert!(refused[0].1.contains("UNIQUE"), "{refused:?}");
    let committed = [0, 2].map(|index: usize| (claimed[index].claim, Settled::Committed));
    assert_eq!(crew.settled().await, committed);
    assert_eq!(mine(&folder.file()), 1);
    assert_eq!(state(&store, claimed[1].claim.id).await, TaskState::Running);
    // It is ended another way, by the same claim.
    crew.ends(&store, claimed[1].claim, done([]));
    assert_eq!(crew.settled().await, [(claimed[1].claim, Settled::Committed)]);
    assert_sound(&store).await;
}
