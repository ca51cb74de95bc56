//! Queues and limits: they hold over all processes on the file, and are back as they were when a transaction is undone.

use super::*;
use crate::store::{
    OnKey, QueueChange, QueueRules, QueueState, Rate, RateLimit, SlotLimit, StoreError, TaskFilter, Terms, Wait,
};

fn with(terms: Terms) -> NewTask {
    NewTask { terms: Some(Box::new(terms)), ..task("a") }
}

fn slotted(most: u32) -> NewTask {
    with(Terms { slots: Some(SlotLimit { bucket: "b".to_owned(), most }), ..Terms::default() })
}

fn rated(tasks: u32, burst: u32) -> NewTask {
    let rate = Rate { tasks, per: Duration::from_secs(10), burst };
    with(Terms { rate: Some(RateLimit { bucket: "b".to_owned(), rate }), ..Terms::default() })
}

async fn change(store: &SqliteStore, state: Option<QueueState>, rules: Option<QueueRules>) {
    store.change_queue("default".to_owned(), QueueChange { state, rules }).await.unwrap();
}

fn ids(claimed: &[Claimed]) -> Vec<TaskId> {
    claimed.iter().map(|task| task.claim.id).collect()
}

#[tokio::test]
async fn a_queue_that_another_process_holds_is_held_here() {
    let folder = Folder::new();
    let (here, there) = (open(&folder.file()), open(&folder.file()));
    let mut crew = Crew::attach(&here).await;
    crew.wants(&here, 2);
    crew.got_nothing(&here).await;
    change(&there, Some(QueueState::Paused), None).await;
    add(&here, [task("a")]).await;
    crew.got_nothing(&here).await;
    change(&there, Some(QueueState::Draining), None).await;
    assert_eq!(crew.claimed().await.len(), 1);
    let refused = here.dispatch(vec![NewWork::Task(task("a"))]).await;
    assert!(matches!(refused, Err(StoreError::QueueFull { .. })));
    assert_sound(&here).await;
}

#[tokio::test]
async fn a_queue_runs_no_more_at_once_than_it_may_over_all_processes() {
    let folder = Folder::new();
    let (here, there) = (open(&folder.file()), open(&folder.file()));
    change(&there, None, Some(QueueRules { concurrency: Some(3), ..QueueRules::default() })).await;
    let (mut one, mut two) = (Crew::attach(&here).await, Crew::attach(&there).await);
    add(&here, (0..6).map(|_| task("a"))).await;
    one.wants(&here, 2);
    let first = one.claimed().await;
    two.wants(&there, 2);
    assert_eq!((first.len(), two.claimed().await.len()), (2, 1));
    let next = task("a");
    store_ends(&mut one, &here, first[0].claim, done([next])).await;
    let records = there.queues().await.unwrap();
    assert_eq!((records[0].due, records[0].running), (3, 3));
    assert_sound(&here).await;
}

/// Ends an attempt; its slot is filled.
async fn store_ends(crew: &mut Crew, store: &SqliteStore, claim: Claim, verdict: Verdict) {
    crew.ends(store, claim, verdict);
    assert_eq!(crew.settled().await, [(claim, Settled::Committed)]);
    assert_eq!(crew.claimed().await.len(), 1);
}

#[tokio::test]
async fn a_rate_is_spent_by_all_processes_and_wakes_by_itself() {
    let folder = Folder::new();
    let clock = Hand::new();
    let open = || SqliteStore::open(&folder.file(), clock.clone()).unwrap();
    let (here, there) = (open(), open());
    let rate = Rate { tasks: 10, per: Duration::from_secs(10), burst: 3 };
    change(&there, None, Some(QueueRules { rate: Some(rate), ..QueueRules::default() })).await;
    let (mut one, mut two) = (Crew::attach(&here).await, Crew::attach(&there).await);
    add(&here, (0..6).map(|_| task("a"))).await;
    one.wants(&here, 2);
    assert_eq!(one.claimed().await.len(), 2);
    two.wants(&there, 2);
    assert_eq!(two.claimed().await.len(), 1);
    two.got_nothing(&there).await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(two.claimed().await.len(), 1);
    one.wants(&here, 2);
    one.got_nothing(&here).await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(one.claimed().await.len(), 1);
    assert_sound(&here).await;
}

#[tokio::test]
async fn what_is_left_of_a_rate_is_back_when_its_transaction_was_undone() {
    let folder = Folder::new();
    let clock = Hand::new();
    let store = SqliteStore::open(&folder.file(), clock.clone()).unwrap();
    let rate = Rate { tasks: 10, per: Duration::from_secs(10), burst: 1 };
    change(&store, None, Some(QueueRules { rate: Some(rate), ..QueueRules::default() })).await;
    let mut crew = Crew::attach(&store).await;
    add(&store, [task("a")]).await;
    let conn = raw(&folder.file());
    conn.execute_batch(
        "CREATE TRIGGER full BEFORE UPDATE ON task WHEN new.state = 'running' BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    .unwrap();
    crew.wants(&store, 1);
    crew.got_nothing(&store).await;
    conn.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(crew.claimed().await.len(), 1);
    assert_sound(&store).await;
}

#[tokio::test]
async fn depth_counts_what_is_due_and_spares_what_is_there() {
    let folder = Folder::new();
    let store = open(&folder.file());
    change(&store, None, Some(QueueRules { depth: Some(2), ..QueueRules::default() })).await;
    let keyed = || NewTask { key: Some("k".to_owned()), ..task("a") };
    add(&store, [keyed(), task("a"), NewTask { delay: Duration::from_secs(9), ..task("a") }]).await;
    let refused = store.dispatch(vec![NewWork::Task(task("a"))]).await;
    assert!(matches!(refused, Err(StoreError::QueueFull { .. })));
    assert!(add(&store, [keyed()]).await[0].existing);
    assert_eq!(store.tasks(TaskFilter::default()).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_slot_of_another_process_is_waited_for_and_given_on() {
    let folder = Folder::new();
    let (here, there) = (open(&folder.file()), open(&folder.file()));
    let (mut one, mut two) = (Crew::attach(&here).await, Crew::attach(&there).await);
    let tasks = [slotted(1), slotted(1), NewTask { priority: 1, ..slotted(1) }];
    add(&here, tasks.clone()).await;
    one.wants(&here, 1);
    let claimed = one.claimed().await;
    assert_eq!(ids(&claimed), [tasks[2].id]);
    two.wants(&there, 2);
    two.got_nothing(&there).await;
    let waiting = here.task(tasks[0].id).await.unwrap().unwrap();
    assert_eq!((waiting.state, waiting.wait), (TaskState::Waiting, Some(Wait::Slot)));
    assert_sound(&here).await;
    here.settle(one.id, vec![Finished { claim: claimed[0].claim, verdict: done([]), notes: Notes::default() }], vec![]);
    one.settled().await;
    let claimed = two.claimed().await;
    assert_eq!(ids(&claimed), [tasks[0].id]);
    // Whoever dies leaves its slot.
    there.retire(two.id).await.unwrap();
    one.wants(&here, 3);
    assert_eq!(one.claimed().await.len(), 1);
    assert_sound(&here).await;
}

#[tokio::test]
async fn each_task_over_its_rate_has_a_time_of_its_own() {
    let folder = Folder::new();
    let clock = Hand::new();
    let store = SqliteStore::open(&folder.file(), clock.clone()).unwrap();
    let mut crew = Crew::attach(&store).await;
    let tasks: Vec<_> = (0..4).map(|_| rated(10, 1)).collect();
    add(&store, tasks.clone()).await;
    crew.wants(&store, 4);
    assert_eq!(ids(&crew.claimed().await), [tasks[0].id]);
    let mut times = Vec::new();
    for task in &tasks {
        times.push(store.task(task.id).await.unwrap().unwrap().run_at.as_millis());
    }
    assert_eq!(times, [1_000_000, 1_001_000, 1_002_000, 1_003_000]);
    for task in &tasks[1..] {
        clock.advance(Duration::from_secs(1));
        assert_eq!(ids(&crew.claimed().await), [task.id]);
    }
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_key_is_replaced_renewed_or_refused() {
    let folder = Folder::new();
    let clock = Hand::new();
    let store = SqliteStore::open(&folder.file(), clock.clone()).unwrap();
    let keyed = |on_key, payload: &[u8]| NewTask {
        key: Some("k".to_owned()),
        payload: payload.to_vec(),
        ..with(Terms { on_key, deadline: Some(Duration::from_secs(5)), ..Terms::default() })
    };
    let first = keyed(OnKey::Return, b"1");
    add(&store, [first.clone()]).await;
    let other = NewWork::Task(task("b"));
    let refused = store.dispatch(vec![other, NewWork::Task(keyed(OnKey::Refuse, b"2"))]).await;
    assert!(matches!(refused, Err(StoreError::KeyTaken { id, .. }) if id == first.id.into()));
    assert_eq!(store.tasks(TaskFilter::default()).await.unwrap().len(), 1);
    clock.advance(Duration::from_secs(1));
    let later = NewTask { priority: 3, ..keyed(OnKey::Replace, b"3") };
    assert_eq!(add(&store, [later]).await, [Dispatched { id: first.id.into(), existing: true }]);
    let record = store.task(first.id).await.unwrap().unwrap();
    assert_eq!((record.payload.as_slice(), record.priority), (b"3".as_slice(), 3));
    assert_eq!(record.deadline.unwrap().as_millis(), 1_006_000);
    let renew = keyed(OnKey::Renew(Duration::from_secs(3)), b"4");
    assert!(add(&store, [renew.clone()]).await[0].existing);
    clock.advance(Duration::from_secs(2));
    assert_eq!(add(&store, [renew.clone()]).await, [Dispatched { id: renew.id.into(), existing: false }]);
    assert_eq!(store.task(first.id).await.unwrap().unwrap().key, None);
    assert_sound(&store).await;
}

#[tokio::test]
async fn what_is_handed_over_asks_its_queue_too() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let mut crew = Crew::attach(&store).await;
    add(&store, [task("a")]).await;
    crew.wants(&store, 1);
    let claim = crew.claimed().await[0].claim;
    change(&store, Some(QueueState::Paused), None).await;
    let next = task("b");
    crew.ends(&store, claim, done([next.clone()]));
    crew.settled().await;
    crew.got_nothing(&store).await;
    assert_eq!(state(&store, next.id).await, TaskState::Ready);
    change(&store, Some(QueueState::Open), None).await;
    assert_eq!(ids(&crew.claimed().await), [next.id]);
}
