//! Schedules, dead letters and retention, over several nodes and over a transaction that is undone.

use std::sync::Arc;

use super::*;
use crate::failure::{FailureKind, FailureReport};
use crate::schedule::Timestamp;
use crate::store::{
    Firing, Keep, NewEach, NewSchedule, Prune, Revived, RunState, SignalOutcome, TaskFilter, TaskState, Turn, Wait,
};

fn nightly(next: i64) -> NewSchedule {
    NewSchedule {
        id: "night\0ly".to_owned(),
        name: "send".to_owned(),
        spec: b"1".to_vec(),
        template: b"{}".to_vec(),
        next: Some(Timestamp::from_millis(next)),
    }
}

fn turn(revision: i64, slots: &[i64], next: i64) -> Turn {
    let fire = slots.iter().map(|&slot| Firing { slot: Timestamp::from_millis(slot), work: NewWork::Task(task()) });
    let (id, next) = (nightly(0).id, Some(Timestamp::from_millis(next)));
    Turn { id, revision, fire: fire.collect(), skipped: 1, next }
}

fn failed(fails_run: bool) -> Verdict {
    let report = FailureReport::new("send", uuid::Uuid::nil(), FailureKind::Error, "no".to_owned(), 1);
    let next = Follow { failure: fails_run.then(|| report.clone()), ..Follow::default() };
    Verdict::Failed { report, error: None, next }
}

async fn open(schema: &Schema) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(schema.url()).await.unwrap())
}

async fn schedule(store: &PostgresStore) -> crate::store::ScheduleRecord {
    store.schedules().await.unwrap().remove(0)
}

#[tokio::test]
async fn of_two_nodes_that_turn_a_schedule_one_does() {
    const SLOTS: i64 = 50;
    let schema = Schema::new().unwrap();
    let nodes = [open(&schema).await, open(&schema).await];
    nodes[0].keep_schedules(vec![nightly(0)]).await.unwrap();
    nodes[1].keep_schedules(vec![nightly(9)]).await.unwrap();
    assert_eq!(schedule(&nodes[1]).await.next, Some(Timestamp::from_millis(0)), "it was there");
    let turning = nodes.clone().map(|store| {
        tokio::spawn(async move {
            let mut started = 0;
            loop {
                let now = schedule(&store).await;
                let slot = now.next.unwrap().as_millis();
                if slot >= SLOTS {
                    return started;
                }
                // The slot before is among them again, and is left out.
                started += store.turn_schedule(turn(now.revision, &[slot - 1, slot], slot + 1)).await.unwrap().len();
            }
        })
    });
    let mut started = 0;
    for turning in turning {
        started += i64::try_from(turning.await.unwrap()).unwrap();
    }
    let kept = schedule(&nodes[0]).await;
    let filter = TaskFilter { limit: Some(1_000), ..TaskFilter::default() };
    let tasks = i64::try_from(nodes[0].tasks(filter).await.unwrap().len()).unwrap();
    assert_eq!((started, tasks, kept.fired.cast_signed()), (SLOTS + 1, SLOTS + 1, SLOTS + 1));
    assert_eq!((kept.skipped.cast_signed(), kept.revision), (SLOTS, SLOTS));
}

#[tokio::test]
async fn a_turn_that_fails_starts_nothing_and_stays_due() {
    let schema = Schema::new().unwrap();
    let store = open(&schema).await;
    store.keep_schedules(vec![nightly(5)]).await.unwrap();
    let place = crate::store::postgres::Place::parse(schema.url()).unwrap();
    let mut conn = PgConnection::connect_with(&place.options).await.unwrap();
    let full = format!("ALTER TABLE {}.schedule ADD CONSTRAINT full_now CHECK (fired = 0)", place.quoted_schema());
    sqlx::raw_sql(AssertSqlSafe(full)).execute(&mut conn).await.unwrap();
    store.turn_schedule(turn(0, &[5], 6)).await.unwrap_err();
    assert!(store.tasks(TaskFilter::default()).await.unwrap().is_empty());
    assert_eq!(store.due_schedules().await.unwrap().0.len(), 1);
    let free = format!("ALTER TABLE {}.schedule DROP CONSTRAINT full_now", place.quoted_schema());
    sqlx::raw_sql(AssertSqlSafe(free)).execute(&mut conn).await.unwrap();
    assert_eq!(store.turn_schedule(turn(0, &[5], 6)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_two_that_keep_one_id_in_one_call_the_last_counts() {
    let schema = Schema::new().unwrap();
    let store = open(&schema).await;
    let other = NewSchedule { spec: b"2".to_vec(), ..nightly(7) };
    store.keep_schedules(vec![nightly(5), other]).await.unwrap();
    let kept = schedule(&store).await;
    assert_eq!((kept.id, kept.spec, kept.next), (nightly(0).id, b"2".to_vec(), Some(Timestamp::from_millis(7))));
    store.keep_schedules(Vec::new()).await.unwrap();
}

/// A run whose step `two` this worker has, beside these.
async fn fanned_out(store: &PostgresStore, worker: &mut TestWorker, run: NewRun, beside: Vec<NewWork>) -> RunId {
    let id = run.id;
    store.dispatch(vec![NewWork::Run(Box::new(run))]).await.unwrap();
    let claim = worker.claim().await.claim;
    worker.finish(claim, succeeded(beside)).await;
    id
}

#[tokio::test]
async fn a_signal_that_came_while_its_run_stopped_is_there_when_it_goes_on() {
    let schema = Schema::new().unwrap();
    let store = open(&schema).await;
    let mut worker = TestWorker::attach(store.clone(), "here", known()).await;
    let run = flow();
    let id = run.id;
    let waits = NewTask { wait: Some(Wait::Signal), ..step(id, "two") };
    let other = NewTask { wait: Some(Wait::Signal), ..step(id, "two") };
    let work = [step(id, "one"), step(id, "one"), waits.clone(), other.clone()].map(NewWork::Task);
    fanned_out(&store, &mut worker, run, work.into()).await;
    worker.free(2);
    let claims = worker.take(2).await;
    worker.finish(claims[0].claim, failed(true)).await;
    assert_eq!(store.signal(id, "two".to_owned(), &[], b"7".to_vec()).await.unwrap(), SignalOutcome::Kept);
    worker.told().await;
    worker.finish(claims[1].claim, Verdict::Cancelled { next: Follow::default() }).await;
    assert_eq!(store.run(id).await.unwrap().unwrap().state, RunState::Failed);
    assert_eq!(store.verify().await.unwrap(), []);
    let answers = store.revive(vec![claims[0].claim.id], None).await.unwrap();
    assert_eq!(answers, [(claims[0].claim.id, Revived::Ready)]);
    let kept = store.task(waits.id).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.payload.as_slice()), (TaskState::Ready, b"7".as_slice()));
    assert_eq!(store.task(other.id).await.unwrap().unwrap().wait, Some(Wait::Signal), "it was for the first");
    assert_eq!(store.run(id).await.unwrap().unwrap().open_tasks, 4);
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn many_items_are_taken_up_at_once_and_keep_their_limit() {
    const ITEMS: usize = 40;
    let schema = Schema::new().unwrap();
    let store = open(&schema).await;
    let mut worker = TestWorker::attach(store.clone(), "here", known()).await;
    let run = flow();
    let id = run.id;
    let tasks = (0..ITEMS).map(|_| step(id, "two")).collect();
    let each = NewEach { id: uuid::Uuid::now_v7(), tasks, limit: Some(5), arrival: None };
    fanned_out(&store, &mut worker, run, vec![NewWork::Each(each)]).await;
    worker.free(1);
    let claim = worker.next().await.claim;
    worker.finish(claim, failed(true)).await;
    assert_eq!(store.run(id).await.unwrap().unwrap().state, RunState::Failed);
    store.revive(vec![claim.id], None).await.unwrap();
    assert_eq!(store.verify().await.unwrap(), []);
    assert_eq!(store.run(id).await.unwrap().unwrap().open_tasks as usize, ITEMS);
    worker.free(u32::try_from(ITEMS).unwrap());
    let mut running = worker.take(5).await;
    worker.quiet().await;
    let mut ended = 0;
    while let Some(claimed) = running.pop() {
        worker.finish(claimed.claim, succeeded(Vec::new())).await;
        ended += 1;
        running.extend(worker.came().await);
        assert!(running.len() <= 5);
    }
    assert_eq!((ended, store.run(id).await.unwrap().unwrap().state), (ITEMS, RunState::Succeeded));
}

#[tokio::test]
async fn two_nodes_that_prune_at_once_take_each_row_once() {
    const ROWS: u64 = 3_000;
    let schema = Schema::new().unwrap();
    let nodes = [open(&schema).await, open(&schema).await];
    let place = crate::store::postgres::Place::parse(schema.url()).unwrap();
    let mut conn = PgConnection::connect_with(&place.options).await.unwrap();
    super::fill(&mut conn, &place, ROWS).await;
    let pruning = nodes.map(|store| {
        tokio::spawn(async move {
            let keep = Keep { most: Some(100), since: None };
            let prune = Prune { succeeded: keep, most: 250, ..Prune::default() };
            let mut gone = 0;
            loop {
                match store.prune(prune).await.unwrap() {
                    0 => return gone,
                    rows => gone += rows,
                }
            }
        })
    });
    let mut gone = 0;
    for pruning in pruning {
        gone += pruning.await.unwrap();
    }
    assert_eq!(gone, ROWS - 100);
}

#[tokio::test]
async fn what_has_ended_costs_nothing_where_some_of_it_goes_or_lives_again() {
    let schema = Schema::new().unwrap();
    let place = crate::store::postgres::Place::parse(schema.url()).unwrap();
    drop(PostgresStore::open(schema.url()).await.unwrap());
    let mut conn = PgConnection::connect_with(&place.options).await.unwrap();
    super::fill(&mut conn, &place, 20_000).await;
    let before = super::scans(&mut conn, &place.schema).await;

    let url = format!("{}&application_name={}", schema.url(), place.schema);
    let store = Arc::new(PostgresStore::open(&url).await.unwrap());
    let mut worker = TestWorker::attach(store.clone(), "here", known()).await;
    let keep = Keep { most: Some(15_000), since: Some(Timestamp::from_millis(-1)) };
    let logs_since = Some(Timestamp::from_millis(5));
    let prune = Prune { succeeded: keep, failed: keep, cancelled: keep, logs_since, most: 10 };
    store.keep_schedules(vec![nightly(0)]).await.unwrap();
    for round in 0..10 {
        assert_eq!(store.turn_schedule(turn(round, &[round], round + 1)).await.unwrap().len(), 1);
        let claim = worker.claim().await.claim;
        worker.finish(claim, failed(false)).await;
        let run = flow();
        let id = run.id;
        store.dispatch(vec![NewWork::Run(Box::new(run))]).await.unwrap();
        let of_run = worker.claim().await.claim;
        worker.finish(of_run, failed(true)).await;
        let answers = store.revive(vec![claim.id, of_run.id], None).await.unwrap();
        assert_eq!(answers, [claim.id, of_run.id].map(|id| (id, Revived::Ready)));
        store.cancel(Selection::Ids(vec![id.into(), claim.id.into()])).await.unwrap();
        assert_eq!(store.discard(vec![id.into(), claim.id.into()]).await.unwrap(), 2);
        assert_eq!(store.prune(prune).await.unwrap(), 10);
    }
    store.close().await.unwrap();
    drop(worker);
    drop(store);
    super::sessions_have_ended(&mut conn, &place.schema).await;
    let after = super::scans(&mut conn, &place.schema).await;
    assert_eq!(after, before, "(tasks, runs) were looked through from end to end");
}
