//! Schedules, dead letters and retention, over several processes and over a transaction that is undone.

use super::*;
use crate::failure::{FailureKind, FailureReport};
use crate::store::{Edited, Firing, Keep, NewEach, NewSchedule, Prune, Revived, RunState, TaskFilter, Turn, Wait};

fn nightly(spec: &str, next: i64) -> NewSchedule {
    NewSchedule {
        id: "nightly".to_owned(),
        name: "a".to_owned(),
        spec: spec.as_bytes().to_vec(),
        template: b"{}".to_vec(),
        next: Some(Timestamp::from_millis(next)),
    }
}

fn turn(revision: i64, slots: &[i64], next: i64) -> Turn {
    let fire = slots.iter().map(|&slot| Firing { slot: Timestamp::from_millis(slot), work: NewWork::Task(task("a")) });
    let (id, next) = ("nightly".to_owned(), Some(Timestamp::from_millis(next)));
    Turn { id, revision, fire: fire.collect(), skipped: 1, next }
}

fn report() -> FailureReport {
    FailureReport::new("pack", uuid::Uuid::nil(), FailureKind::Error, "no".to_owned(), 1)
}

fn fails(failure: bool) -> Verdict {
    let next = Follow { failure: failure.then(report), ..Follow::default() };
    Verdict::Failed { report: report(), error: None, next }
}

#[tokio::test]
async fn of_two_processes_that_turn_a_schedule_one_does() {
    let folder = Folder::new();
    let (here, there) = (open(&folder.file()), open(&folder.file()));
    here.keep_schedules(vec![nightly("x", 5)]).await.unwrap();
    there.keep_schedules(vec![nightly("x", 9)]).await.unwrap();
    let (due, next) = there.due_schedules().await.unwrap();
    assert_eq!((due.len(), due[0].next, due[0].revision, next), (1, Some(Timestamp::from_millis(5)), 0, None));
    let (one, two) = tokio::join!(here.turn_schedule(turn(0, &[5, 6], 7)), there.turn_schedule(turn(0, &[5, 6], 7)));
    assert_eq!(one.unwrap().len() + two.unwrap().len(), 2);
    // Another revision, and a slot that was started.
    assert_eq!(here.turn_schedule(turn(1, &[6, 7], 8)).await.unwrap().len(), 1);
    let schedule = &here.schedules().await.unwrap()[0];
    assert_eq!((schedule.fired, schedule.skipped, schedule.revision), (3, 2, 2));
    assert_eq!(schedule.last.unwrap().0, Timestamp::from_millis(7));
    assert!(here.hold_schedule("nightly".to_owned(), true, None).await.unwrap());
    assert!(!there.hold_schedule("nightly".to_owned(), true, None).await.unwrap());
    assert!(there.due_schedules().await.unwrap().0.is_empty());
    assert!(there.drop_schedule("nightly".to_owned()).await.unwrap());
    let count: i64 = raw(&folder.file()).query_row("SELECT count(*) FROM occurrence", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn a_turn_that_fails_starts_nothing_and_stays_due() {
    let folder = Folder::new();
    let store = open(&folder.file());
    store.keep_schedules(vec![nightly("x", 5)]).await.unwrap();
    let conn = raw(&folder.file());
    conn.execute_batch(
        "CREATE TRIGGER full BEFORE UPDATE ON schedule WHEN new.fired > 0 BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    .unwrap();
    store.turn_schedule(turn(0, &[5], 6)).await.unwrap_err();
    assert!(store.tasks(TaskFilter::default()).await.unwrap().is_empty());
    conn.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(store.turn_schedule(turn(0, &[5], 6)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_task_is_ready_again_and_its_run_goes_on() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let id = RunId::new();
    store.dispatch(vec![NewWork::Run(Box::new(NewRun { output: Some(b"0".to_vec()), ..new_run(id) }))]).await.unwrap();
    crew.wants(&store, 1);
    let claim = crew.claimed().await[0].claim;
    let waits = NewTask { wait: Some(Wait::Signal), ..step(id, "send") };
    let items: Vec<_> = (0..3).map(|_| step(id, "pack")).collect();
    let each = NewEach { id: uuid::Uuid::now_v7(), tasks: items.clone(), limit: Some(1), arrival: None };
    let next = Follow { work: vec![NewWork::Each(each), NewWork::Task(waits.clone())], ..Follow::default() };
    crew.ends(&store, claim, Verdict::Succeeded { output: b"1".to_vec(), next });
    crew.settled().await;
    let failing = crew.claimed().await[0].claim;
    crew.ends(&store, failing, fails(true));
    crew.settled().await;
    assert_eq!(store.run(id).await.unwrap().unwrap().state, RunState::Failed);
    assert_sound(&store).await;
    let edited = Edited { payload: b"9".to_vec(), ..Edited::default() };
    let answers = store.revive(vec![failing.id, claim.id, TaskId::new()], Some(edited)).await.unwrap();
    let answers: Vec<_> = answers.into_iter().map(|(_, answer)| answer).collect();
    assert_eq!(answers, [Revived::Ready, Revived::NotFailed, Revived::NotFound]);
    assert_sound(&store).await;
    let run = store.run(id).await.unwrap().unwrap();
    assert_eq!((run.state, run.open_tasks, run.failure), (RunState::Running, 4, None));
    assert_eq!(store.task(waits.id).await.unwrap().unwrap().wait, Some(Wait::Signal));
    let again = crew.claimed().await;
    assert_eq!((again[0].claim.id, again[0].failures, again[0].payload.as_slice()), (failing.id, 0, b"9".as_slice()));
    let mut claim = again[0].claim;
    for _ in 0..2 {
        crew.ends(&store, claim, done([]));
        crew.settled().await;
        claim = crew.claimed().await[0].claim;
    }
    crew.ends(&store, claim, done([]));
    crew.settled().await;
    store.signal(id, "send".to_owned(), &[], b"1".to_vec()).await.unwrap();
    let claim = crew.claimed().await[0].claim;
    crew.ends(&store, claim, done([]));
    crew.settled().await;
    assert_eq!(store.run(id).await.unwrap().unwrap().state, RunState::Succeeded);
    assert_sound(&store).await;
}

#[tokio::test]
async fn what_has_ended_goes_the_oldest_first_and_a_few_at_a_time() {
    let folder = Folder::new();
    let clock = Hand::new();
    let store = SqliteStore::open(&folder.file(), clock.clone()).unwrap();
    let mut crew = Crew::attach(&store).await;
    let tasks: Vec<_> = (0..5).map(|_| task("a")).collect();
    add(&store, tasks.clone()).await;
    let id = RunId::new();
    store.dispatch(vec![NewWork::Run(Box::new(new_run(id)))]).await.unwrap();
    crew.wants(&store, 6);
    let mut claimed = crew.claimed().await;
    let of_run = claimed.pop().unwrap();
    for task in &claimed {
        clock.advance(Duration::from_secs(1));
        crew.ends(&store, task.claim, done([]));
        crew.settled().await;
    }
    crew.ends(&store, of_run.claim, fails(true));
    crew.settled().await;
    let live = add(&store, [NewTask { delay: Duration::from_secs(99), ..task("a") }]).await[0].id;
    let prune = |succeeded, failed| Prune { succeeded, failed, most: 2, ..Prune::default() };
    let most = |most| Keep { most: Some(most), since: None };
    assert_eq!(store.prune(prune(most(1), Keep::default())).await.unwrap(), 2);
    assert_eq!(store.task(tasks[1].id).await.unwrap(), None);
    assert!(store.task(tasks[2].id).await.unwrap().is_some());
    assert_eq!(store.prune(prune(most(1), Keep::default())).await.unwrap(), 2);
    assert_eq!(store.prune(prune(most(1), Keep::default())).await.unwrap(), 0);
    let now = clock.now();
    let since = |since: Timestamp| Keep { since: Some(since), most: None };
    assert_eq!(store.prune(prune(since(now), since(now))).await.unwrap(), 0);
    assert_eq!(store.prune(prune(since(now.plus(Duration::from_millis(1))), most(0))).await.unwrap(), 2);
    assert_eq!(store.run(id).await.unwrap(), None);
    let left = store.tasks(TaskFilter::default()).await.unwrap();
    assert_eq!(left.iter().map(|task| task.id.into()).collect::<Vec<crate::id::WorkId>>(), [live]);
    assert_sound(&store).await;
}

#[tokio::test]
async fn what_lives_is_not_discarded() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    let (parked, live) = (task("nobody"), NewTask { delay: Duration::from_secs(9), ..task("a") });
    add(&store, [parked.clone(), live.clone(), task("a")]).await;
    crew.wants(&store, 1);
    let claim = crew.claimed().await[0].claim;
    crew.ends(&store, claim, fails(false));
    crew.settled().await;
    let work = vec![parked.id.into(), live.id.into(), claim.id.into(), RunId::new().into()];
    assert_eq!(store.discard(work).await.unwrap(), 2);
    assert_eq!(store.attempts(claim.id).await.unwrap(), []);
    assert_eq!(store.tasks(TaskFilter::default()).await.unwrap().len(), 1);
    assert_sound(&store).await;
}
