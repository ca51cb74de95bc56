//! What waits: found by its index however much there is, told by other processes, and undone with its
//! transaction.

use super::*;
use crate::failure::{FailureKind, FailureReport};
use crate::store::sqlite::sql;
use crate::store::{Arrival, Member, NewEach, RunState, SignalOutcome, StoreError, Wait};

/// A step that waits for a signal.
fn waits(run: RunId) -> NewTask {
    NewTask { wait: Some(Wait::Signal), ..step(run, "send") }
}

async fn start(store: &SqliteStore, run: NewRun) {
    store.dispatch(vec![NewWork::Run(Box::new(run))]).await.unwrap();
}

fn succeeded(next: Follow) -> Verdict {
    Verdict::Succeeded { output: b"1".to_vec(), next }
}

fn report() -> FailureReport {
    FailureReport::new("pack", uuid::Uuid::nil(), FailureKind::Error, "no".to_owned(), 1)
}

fn arrival(run: RunId, member: u32) -> Arrival {
    let members = ["pack", "send"].map(|step| Member { step: step.into(), was: &[], each: false }).into();
    Arrival { join: "both".into(), member, members, settled: false, then: step(run, "send") }
}

#[tokio::test]
async fn a_signal_of_another_process_is_claimed_here() {
    let folder = Folder::new();
    let (here, there) = (open(&folder.file()), open(&folder.file()));
    let mut crew = Crew::attach(&here).await;
    let id = RunId::new();
    start(&here, new_run(id)).await;
    crew.wants(&here, 1);
    let claim = crew.claimed().await[0].claim;
    let waiting = waits(id);
    crew.ends(&here, claim, done([waiting.clone()]));
    crew.settled().await;
    crew.got_nothing(&here).await;
    assert_eq!(there.signal(id, "send".to_owned(), &[], b"7".to_vec()).await.unwrap(), SignalOutcome::Delivered);
    let claimed = crew.claimed().await;
    assert_eq!((claimed[0].claim.id, claimed[0].payload.as_slice()), (waiting.id, b"7".as_slice()));
    assert_sound(&here).await;
}

#[tokio::test]
async fn a_pause_of_another_process_holds_here_what_it_resumes() {
    let folder = Folder::new();
    let (here, there) = (open(&folder.file()), open(&folder.file()));
    let mut crew = Crew::attach(&here).await;
    let id = RunId::new();
    start(&here, new_run(id)).await;
    assert!(there.pause(id).await.unwrap());
    crew.wants(&here, 1);
    crew.got_nothing(&here).await;
    assert!(there.resume(id).await.unwrap());
    assert_eq!(crew.claimed().await.len(), 1);
    assert_sound(&here).await;
}

#[tokio::test]
async fn what_waits_for_ever_is_no_timer_and_what_waits_for_a_time_is_one() {
    let folder = Folder::new();
    let clock = Hand::new();
    let store = SqliteStore::open(&folder.file(), clock.clone()).unwrap();
    let mut crew = Crew::attach(&store).await;
    let id = RunId::new();
    start(&store, new_run(id)).await;
    crew.wants(&store, 3);
    let claim = crew.claimed().await[0].claim;
    let timed = NewTask { delay: Duration::from_mins(1), ..waits(id) };
    crew.ends(&store, claim, done([waits(id), timed.clone()]));
    crew.settled().await;
    let due: Vec<i64> = {
        let conn = raw(&folder.file());
        let mut find = conn.prepare("SELECT run_at FROM task WHERE due = 0").unwrap();
        find.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(due, [1_060_000]);
    clock.advance(Duration::from_mins(1));
    let claimed = crew.claimed().await;
    assert_eq!((claimed[0].claim.id, claimed[0].got), (timed.id, Some(crate::store::Got::Nothing)));
    crew.got_nothing(&store).await;
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_signal_finds_its_step_among_many_that_wait() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let id = RunId::new();
    start(&store, new_run(id)).await;
    crew.wants(&store, 1);
    let claim = crew.claimed().await[0].claim;
    let others = (0..20_000).map(|_| NewTask { wait: Some(Wait::Signal), ..step(id, "pack") });
    crew.ends(&store, claim, done(others.chain([waits(id)])));
    crew.settled().await;
    let conn = raw(&folder.file());
    let mut find = conn.prepare(sql::WAITS_FOR_SIGNAL).unwrap();
    let run = super::super::value::Id(id.uuid());
    assert!(find.exists(rusqlite::params![run, "send", 0]).unwrap());
    let steps = find.get_status(rusqlite::StatementStatus::VmStep);
    assert!(steps < 100, "{steps} steps to find what waits for a signal");
}

#[tokio::test]
async fn the_next_item_is_found_among_many_that_have_ended() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let id = RunId::new();
    start(&store, new_run(id)).await;
    crew.wants(&store, 1);
    let claim = crew.claimed().await[0].claim;
    let tasks: Vec<_> = (0..20_000).map(|_| step(id, "send")).collect();
    let each = NewEach { id: uuid::Uuid::now_v7(), tasks: tasks.clone(), limit: Some(1), arrival: None };
    let next = Follow { work: vec![NewWork::Each(each)], ..Follow::default() };
    crew.ends(&store, claim, succeeded(next));
    crew.settled().await;
    for task in &tasks[..3] {
        let claimed = crew.claimed().await;
        assert_eq!(claimed.iter().map(|claimed| claimed.claim.id).collect::<Vec<_>>(), [task.id]);
        crew.ends(&store, claimed[0].claim, done([]));
        crew.settled().await;
    }
    let conn = raw(&folder.file());
    let group: Vec<u8> = conn.query_row("SELECT id FROM each", [], |row| row.get(0)).unwrap();
    let mut turn = conn.prepare(sql::TURN).unwrap();
    turn.query_row(rusqlite::params![group, 0], |_| Ok(())).unwrap();
    let steps = turn.get_status(rusqlite::StatementStatus::VmStep);
    assert!(steps < 1_000, "{steps} steps to find the next item");
}

#[tokio::test]
async fn a_batch_that_fails_leaves_no_arrival_no_turn_and_no_slot_behind() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let id = RunId::new();
    start(&store, NewRun { output: Some(b"0".to_vec()), ..new_run(id) }).await;
    crew.wants(&store, 1);
    let claim = crew.claimed().await[0].claim;
    crew.wants(&store, 1);
    crew.ends(&store, claim, done([step(id, "pack"), step(id, "send")]));
    crew.settled().await;
    let [pack, send] = crew.claimed().await.try_into().unwrap();
    // The joined task can't be added: a trigger stands for a disk that is full.
    let conn = raw(&folder.file());
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON task WHEN new.got = 'join' \
                   BEGIN SELECT RAISE(ABORT, 'no room'); END";
    conn.execute_batch(trigger).unwrap();
    let arrives = |member| succeeded(Follow { arrival: Some(arrival(id, member)), ..Follow::default() });
    crew.ends(&store, pack.claim, arrives(0));
    crew.settled().await;
    crew.ends(&store, send.claim, arrives(1));
    let Some(Delivery::Unsettled { finished, error: StoreError::Refused { .. } }) = crew.inbox.recv().await else {
        panic!()
    };
    assert_eq!(state(&store, send.claim.id).await, TaskState::Running);
    assert_sound(&store).await;
    conn.execute_batch("DROP TRIGGER full").unwrap();
    // The slots that came with both are free still: the joined task is handed over.
    store.settle(crew.id, finished, Vec::new());
    crew.settled().await;
    let joined = crew.claimed().await;
    assert_eq!(joined[0].payload, b"[1,1]");
    crew.ends(&store, joined[0].claim, done([]));
    crew.settled().await;
    assert_eq!(store.run(id).await.unwrap().unwrap().state, RunState::Succeeded);
    assert_sound(&store).await;
}

#[tokio::test]
async fn runs_within_runs_end_however_deep_they_lie() {
    const DEPTH: usize = 2_000;
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let mut runs = vec![RunId::new()];
    start(&store, new_run(runs[0])).await;
    crew.wants(&store, 1);
    for depth in 1..DEPTH {
        let claim = crew.claimed().await[0].claim;
        let inner = RunId::new();
        let run = NewRun { step: Some(step(runs[depth - 1], "send")), ..new_run(inner) };
        let next = Follow { work: vec![NewWork::Run(Box::new(run))], ..Follow::default() };
        crew.ends(&store, claim, succeeded(next));
        crew.settled().await;
        runs.push(inner);
    }
    let claim = crew.claimed().await[0].claim;
    store.cancel(crate::store::Selection::Ids(vec![runs[0].into()])).await.unwrap();
    assert!(matches!(crew.inbox.recv().await, Some(Delivery::Cancel(told)) if told == [claim]));
    crew.ends(&store, claim, Verdict::Cancelled { next: Follow::default() });
    crew.settled().await;
    assert_eq!(store.run(runs[0]).await.unwrap().unwrap().state, RunState::Cancelled);
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_compensation_goes_on_after_the_store_was_closed() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let id = RunId::new();
    start(&store, new_run(id)).await;
    crew.wants(&store, 1);
    let claim = crew.claimed().await[0].claim;
    let undo = step(id, "send");
    let next = Follow { undo: Some(undo.clone()), failure: Some(report()), ..Follow::default() };
    crew.ends(&store, claim, succeeded(next));
    crew.settled().await;
    let claim = crew.claimed().await[0].claim;
    assert_eq!(claim.id, undo.id);
    let next = Follow::default();
    crew.ends(&store, claim, Verdict::Failed { report: report(), error: None, next });
    crew.settled().await;
    store.close().await.unwrap();
    drop(store);
    let store = open(&folder.file());
    assert!(store.resume_undo(id).await.unwrap());
    assert!(!store.resume_undo(id).await.unwrap());
    let mut crew = Crew::attach(&store).await;
    crew.wants(&store, 1);
    let again = crew.claimed().await[0].clone();
    assert_eq!((again.claim.id, again.failures), (undo.id, 1));
    crew.ends(&store, again.claim, done([]));
    crew.settled().await;
    assert_eq!(store.run(id).await.unwrap().unwrap().state, RunState::Failed);
    assert_sound(&store).await;
}
