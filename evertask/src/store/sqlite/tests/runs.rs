//! Runs: their end is in the transaction of their last task.

use super::*;
use crate::failure::{FailureKind, FailureReport};
use crate::store::{CancelOutcome, RunRecord, RunState, Selection};

async fn start(store: &SqliteStore, crew: &mut Crew, run: NewRun) -> Claim {
    store.dispatch(vec![NewWork::Run(Box::new(run))]).await.unwrap();
    crew.wants(store, 1);
    crew.claimed().await[0].claim
}

async fn read(store: &SqliteStore, id: RunId) -> RunRecord {
    store.run(id).await.unwrap().unwrap()
}

fn follow(work: impl IntoIterator<Item = NewTask>) -> Follow {
    Follow { work: work.into_iter().map(NewWork::Task).collect(), ..Follow::default() }
}

fn failed(name: &str) -> FailureReport {
    FailureReport::new(name, uuid::Uuid::nil(), FailureKind::Error, "no".to_owned(), 1)
}

#[tokio::test]
async fn a_run_ends_with_its_last_task_and_its_end_task_is_there_at_once() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let id = RunId::new();
    let claim = start(&store, &mut crew, NewRun { end_routed: true, ..new_run(id) }).await;
    let next = Follow { output: Some(b"7".to_vec()), ..follow([step(id, "send"), step(id, "send")]) };
    crew.ends(&store, claim, Verdict::Succeeded { output: b"1".to_vec(), next });
    crew.settled().await;
    let first = crew.claimed().await[0].claim;
    assert_eq!(read(&store, id).await.open_tasks, 2);
    crew.ends(&store, first, done([]));
    crew.settled().await;
    let second = crew.claimed().await[0].claim;
    crew.ends(&store, second, done([]));
    crew.settled().await;
    let run = read(&store, id).await;
    assert_eq!((run.state, run.output.as_deref()), (RunState::Succeeded, Some(b"7".as_slice())));
    crew.got_nothing(&store).await;
    let ends = store.tasks(crate::store::TaskFilter { name: Some("Ship".to_owned()), ..Default::default() });
    assert_eq!(ends.await.unwrap().len(), 1);
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_run_that_ends_without_its_output_has_failed() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let id = RunId::new();
    let claim = start(&store, &mut crew, new_run(id)).await;
    crew.ends(&store, claim, done([]));
    crew.settled().await;
    let run = read(&store, id).await;
    assert_eq!((run.state, run.failure.unwrap().kind), (RunState::Failed, FailureKind::Declared));
}

#[tokio::test]
async fn a_failure_stops_the_rest_and_the_first_is_kept() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let id = RunId::new();
    let claim = start(&store, &mut crew, new_run(id)).await;
    let waits = NewTask { delay: Duration::from_secs(9), ..step(id, "send") };
    let routed = NewTask { cancel_routed: true, ..waits.clone() };
    let routed = NewTask { id: TaskId::new(), ..routed };
    crew.wants(&store, 1);
    let work = [step(id, "pack"), step(id, "send"), waits.clone(), routed.clone()];
    crew.ends(&store, claim, Verdict::Succeeded { output: b"1".to_vec(), next: follow(work) });
    crew.settled().await;
    let [failing, running] = crew.claimed().await.try_into().unwrap();
    let next = Follow { failure: Some(failed("pack")), ..follow([step(id, "send"), task("a")]) };
    crew.ends(&store, failing.claim, Verdict::Failed { report: failed("pack"), error: None, next });
    crew.settled().await;
    // What the handler dispatched belongs to it; the routed one is claimed for what follows its cancel.
    let mut claimed = crew.claimed().await;
    assert_eq!(claimed.remove(0).name, "a");
    let Some(Delivery::Cancel(told)) = crew.inbox.recv().await else { panic!() };
    assert_eq!(told, [running.claim]);
    assert_eq!(state(&store, waits.id).await, TaskState::Cancelled);
    let run = read(&store, id).await;
    assert_eq!((run.state, run.open_tasks), (RunState::Compensating, 2));
    crew.ends(&store, running.claim, done([step(id, "send")]));
    crew.settled().await;
    let [routed_claim] = crew.claimed().await.try_into().unwrap();
    assert!(routed_claim.cancelled && routed_claim.claim.id == routed.id);
    crew.ends(&store, routed_claim.claim, Verdict::Cancelled { next: follow([]) });
    crew.settled().await;
    let run = read(&store, id).await;
    assert_eq!((run.state, run.failure), (RunState::Failed, Some(failed("pack"))));
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_cancel_that_was_asked_for_is_not_forgotten_by_a_retry() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let id = RunId::new();
    let claim = start(&store, &mut crew, new_run(id)).await;
    let answers = store.cancel(Selection::Ids(vec![id.into(), claim.id.into(), TaskId::new().into()])).await.unwrap();
    let outcomes: Vec<_> = answers.iter().map(|(_, outcome)| *outcome).collect();
    assert_eq!(outcomes, [CancelOutcome::Requested, CancelOutcome::Requested, CancelOutcome::NotFound]);
    assert!(matches!(crew.inbox.recv().await, Some(Delivery::Cancel(_))));
    crew.ends(&store, claim, Verdict::Retry { report: failed("pack"), delay: Duration::from_secs(9) });
    crew.settled().await;
    let record = store.task(claim.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.failures), (TaskState::Cancelled, 1));
    assert_eq!(read(&store, id).await.state, RunState::Cancelled);
    assert_eq!(store.attempts(claim.id).await.unwrap().len(), 1);
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_step_that_is_cancelled_alone_fails_its_run() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let id = RunId::new();
    let run = new_run(id);
    let first = run.first.id;
    store.dispatch(vec![NewWork::Run(Box::new(run))]).await.unwrap();
    let answers = store.cancel(Selection::Name("pack".to_owned())).await.unwrap();
    assert_eq!(answers, [(first.into(), CancelOutcome::Cancelled)]);
    let run = read(&store, id).await;
    assert_eq!((run.state, run.failure.unwrap().kind), (RunState::Failed, FailureKind::Cancelled));
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_run_whose_time_is_up_fails() {
    let folder = Folder::new();
    let clock = Hand::new();
    let store = SqliteStore::open(&folder.file(), clock.clone()).unwrap();
    let id = RunId::new();
    let run = NewRun { timeout: Some(Duration::from_mins(1)), ..new_run(id) };
    store.dispatch(vec![NewWork::Run(Box::new(run))]).await.unwrap();
    assert_eq!(store.expire_runs().await.unwrap(), []);
    clock.advance(Duration::from_mins(1));
    assert_eq!(store.expire_runs().await.unwrap(), [id]);
    let failure = read(&store, id).await.failure.unwrap();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::Timeout, "the run took longer than its `timeout`")
    );
    assert_sound(&store).await;
}

#[tokio::test]
async fn notes_are_kept_while_the_claim_holds_and_their_number_is_bounded() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    add(&store, [task("a")]).await;
    crew.wants(&store, 1);
    let claim = crew.claimed().await[0].claim;
    let line =
        |text: &str| crate::store::LogLine { at: Timestamp::from_millis(1), fence: claim.fence, text: text.to_owned() };
    let lines = (0..1_500).map(|number| line(&number.to_string())).collect();
    store.note(claim, Notes { progress: Some((1, u64::MAX)), lines }).await.unwrap();
    store.note(claim, Notes { progress: None, lines: vec![line("late")] }).await.unwrap();
    let stale = Claim { fence: 9, ..claim };
    store.note(stale, Notes { progress: Some((9, 9)), lines: vec![line("stale")] }).await.unwrap();
    let log = store.log(claim.id).await.unwrap();
    assert_eq!((log.len(), log[999].text.as_str()), (1_001, "999"));
    assert!(log[1_000].text.contains("not kept"));
    assert_eq!(store.task(claim.id).await.unwrap().unwrap().progress, Some((1, u64::MAX)));
}

#[tokio::test]
async fn a_run_whose_end_is_no_json_has_failed_and_says_so() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let id = RunId::new();
    let claim = start(&store, &mut crew, NewRun { end_routed: true, ..new_run(id) }).await;
    let next = Follow { output: Some(b"{".to_vec()), ..follow([]) };
    crew.ends(&store, claim, Verdict::Succeeded { output: b"1".to_vec(), next });
    assert_eq!(crew.settled().await, [(claim, Settled::Committed)]);
    let run = read(&store, id).await;
    assert_eq!((run.state, run.failure.unwrap().kind), (RunState::Failed, FailureKind::Declared));
    let ends = store.tasks(crate::store::TaskFilter { name: Some("Ship".to_owned()), ..Default::default() });
    assert_eq!(ends.await.unwrap().len(), 1);
    assert_sound(&store).await;
}
