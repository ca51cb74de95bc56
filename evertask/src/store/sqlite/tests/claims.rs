//! Claims: what is due, what is put aside, and what nobody knows.

use super::*;
use crate::store::{ParkReason, TaskFilter};

#[tokio::test]
async fn a_delayed_task_is_claimed_when_the_clock_says_so() {
    let folder = Folder::new();
    let clock = Hand::new();
    let store = SqliteStore::open(&folder.file(), clock.clone()).unwrap();
    let mut crew = Crew::attach(&store).await;
    crew.wants(&store, 2);
    let late = NewTask { delay: Duration::from_mins(1), ..task("a") };
    add(&store, [late.clone()]).await;
    crew.got_nothing(&store).await;
    clock.advance(Duration::from_secs(59));
    crew.got_nothing(&store).await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(crew.claimed().await[0].claim.id, late.id);
}

#[tokio::test]
async fn a_backlog_of_what_is_not_due_is_not_looked_at() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let late = || NewTask { delay: Duration::from_hours(1), ..task("a") };
    add(&store, (0..100_000).map(|_| late())).await;
    let conn = raw(&folder.file());
    let mut claimable = conn.prepare(crate::store::sqlite::sql::CLAIMABLE).unwrap();
    assert_eq!(claimable.query(rusqlite::params!["default", 16]).unwrap().next().unwrap().map(|_| ()), None);
    let steps = claimable.get_status(rusqlite::StatementStatus::VmStep);
    assert!(steps < 100, "{steps} steps to find that nothing is due");
}

#[tokio::test]
async fn the_most_urgent_is_claimed_first_then_by_arrival() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let tasks = [0, 5, -3, 5].map(|priority| NewTask { priority, ..task("a") });
    let ids = tasks.clone().map(|task| task.id);
    add(&store, tasks).await;
    let mut crew = Crew::attach(&store).await;
    crew.wants(&store, 4);
    let claimed: Vec<_> = crew.claimed().await.iter().map(|task| task.claim.id).collect();
    assert_eq!(claimed, [ids[1], ids[3], ids[0], ids[2]]);
}

#[tokio::test]
async fn what_others_know_is_put_aside_for_them_and_what_nobody_knows_is_parked() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut first = Crew::attach_knowing(&store, &["a"]).await;
    let mut second = Crew::attach_knowing(&store, &["b"]).await;
    let unknown = task("c");
    add(&store, [task("b"), task("b"), unknown.clone(), task("a")]).await;
    first.wants(&store, 2);
    assert_eq!(first.claimed().await.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), ["a"]);
    let count = |due: i64| -> i64 {
        let conn = raw(&folder.file());
        conn.query_row("SELECT count(*) FROM task WHERE due = ?1", [due], |row| row.get(0)).unwrap()
    };
    assert_eq!((count(1), count(2)), (0, 2));
    let parked = store.task(unknown.id).await.unwrap().unwrap();
    assert_eq!(parked.parked.unwrap().0, ParkReason::UnknownTask);
    // In order with what was not put aside.
    add(&store, [NewTask { priority: 1, ..task("b") }]).await;
    second.wants(&store, 3);
    let claimed = second.claimed().await;
    assert_eq!(claimed.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), ["b", "b", "b"]);
    // A worker that knows it begins its life: it is ready again.
    let mut third = Crew::attach_knowing(&store, &["c"]).await;
    third.wants(&store, 1);
    assert_eq!(third.claimed().await[0].claim.id, unknown.id);
    assert_sound(&store).await;
}

#[tokio::test]
async fn what_was_put_aside_for_a_worker_that_is_gone_is_parked() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut first = Crew::attach_knowing(&store, &["a"]).await;
    let second = Crew::attach_knowing(&store, &["b"]).await;
    let theirs = task("b");
    add(&store, [theirs.clone()]).await;
    first.wants(&store, 1);
    first.got_nothing(&store).await;
    store.retire(second.id).await.unwrap();
    first.got_nothing(&store).await;
    assert_eq!(state(&store, theirs.id).await, TaskState::Parked);
    assert_sound(&store).await;
}

#[tokio::test]
async fn many_tasks_of_others_are_put_aside_by_and_by() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let _other = Crew::attach_knowing(&store, &["b"]).await;
    let mut crew = Crew::attach_knowing(&store, &["a"]).await;
    add(&store, (0..2_500).map(|_| task("b"))).await;
    add(&store, [task("a")]).await;
    crew.wants(&store, 100);
    assert_eq!(crew.claimed().await.len(), 1);
}

#[tokio::test]
async fn a_listing_is_filtered_and_paged() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let tasks: Vec<_> = (0..5).map(|_| NewTask { correlation: Some("x".to_owned()), ..task("a") }).collect();
    add(&store, tasks.clone()).await;
    add(&store, [task("a"), task("b")]).await;
    let filter = TaskFilter {
        states: vec![TaskState::Ready, TaskState::Running],
        name: Some("a".to_owned()),
        correlation: Some("x".to_owned()),
        after: Some(tasks[1].id),
        limit: Some(2),
        ..TaskFilter::default()
    };
    let page: Vec<_> = store.tasks(filter).await.unwrap().iter().map(|task| task.id).collect();
    assert_eq!(page, [tasks[2].id, tasks[3].id]);
}
