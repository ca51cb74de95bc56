//! The answer to a commit is lost, or the commit itself comes late: what is reported is what has happened, once.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use evertask::TaskId;
use evertask::store::{
    CancelOutcome, Claim, Follow, Known, NewTask, NewWork, PostgresStore, Selection, Settled, Store as _, TaskFilter,
    TaskState, Verdict,
};
use evertask::testing::conformance::TestWorker;
use evertask::testing::postgres::Server;
use evertask_tests::proxy::{Commit, Proxy};
use evertask_tests::{dice, full, seed};

fn task() -> NewTask {
    NewTask {
        id: TaskId::new(),
        name: "send".into(),
        queue: "default".into(),
        priority: 0,
        delay: Duration::ZERO,
        at: None,
        payload: b"{}".to_vec(),
        key: None,
        correlation: None,
        parent: None,
        of: None,
        cancel_routed: false,
        wait: None,
        visits: None,
        was: &[],
        terms: None,
    }
}

fn succeeded(follower: NewTask) -> Verdict {
    let next = Follow { work: vec![NewWork::Task(follower)], ..Follow::default() };
    Verdict::Succeeded { output: b"1".to_vec(), next }
}

/// A store behind a proxy, and what is to become of commits.
struct Bar {
    proxy: Proxy,
    store: Arc<PostgresStore>,
    commit: Box<dyn Fn(u64) -> Commit>,
    throws: u64,
}

impl Bar {
    /// The next commit is to go wrong.
    fn arm(&mut self) {
        self.throws += 1;
        self.proxy.next_commit((self.commit)(self.throws));
    }

    /// It did.
    fn disarmed(&self) {
        assert!(self.proxy.is_done(), "no commit went wrong, which proves nothing");
    }

    async fn add(&mut self, is_armed: bool) -> TaskId {
        let task = task();
        let id = task.id;
        if is_armed {
            self.arm();
        }
        let dispatched = self.store.dispatch(vec![NewWork::Task(task)]).await.unwrap();
        self.disarmed();
        assert_eq!((dispatched[0].id, dispatched[0].existing), (id.into(), false));
        id
    }
}

async fn lose(commit: impl Fn(u64) -> Commit + 'static, each: usize) {
    let server = Server::start().unwrap();
    let proxy = Proxy::start(server.folder(), Duration::ZERO).await;
    let store = Arc::new(PostgresStore::open(&proxy.url("lost")).await.unwrap());
    let knows = Known { tasks: ["send".to_owned()].into_iter().collect(), ..Known::default() };
    let mut worker = TestWorker::attach(store.clone(), "here", knows).await;
    let mut bar = Bar { proxy, store, commit: Box::new(commit), throws: 0 };
    let (begun, connected) = (Instant::now(), bar.proxy.connects());

    let mut added = Vec::new();
    for _ in 0..each {
        added.push(bar.add(true).await);
    }
    let mut claims: Vec<Claim> = Vec::new();
    for _ in 0..each {
        bar.arm();
        let claimed = worker.claim().await;
        bar.disarmed();
        assert_eq!(claimed.claim.fence, 1);
        claims.push(claimed.claim);
    }
    let mut claimed: Vec<TaskId> = claims.iter().map(|claim| claim.id).collect();
    claimed.sort_unstable();
    assert_eq!(claimed, added, "each was claimed, and once");
    for claim in claims {
        bar.arm();
        assert_eq!(worker.finish(claim, succeeded(task())).await, Settled::Committed);
        bar.disarmed();
    }
    // What followed waits, beside what is to be cancelled.
    let mut waiting = Vec::new();
    for _ in 0..each {
        waiting.push(bar.add(false).await);
    }
    for id in &waiting {
        bar.arm();
        let cancelled = bar.store.cancel(Selection::Ids(vec![(*id).into()])).await.unwrap();
        bar.disarmed();
        assert_eq!(cancelled, [((*id).into(), CancelOutcome::Cancelled)]);
    }

    let all = bar.store.tasks(TaskFilter::new().limit(10_000)).await.unwrap();
    let count = |state| all.iter().filter(|task| task.state == state).count();
    let counts = [TaskState::Succeeded, TaskState::Cancelled, TaskState::Ready].map(count);
    println!(
        "{} commits went wrong in {:.1} s ({} connections): all {} reported right, {} rows more than there should be",
        bar.throws,
        begun.elapsed().as_secs_f64(),
        bar.proxy.connects() - connected,
        each * 4,
        all.len() - each * 3
    );
    assert_eq!((counts, all.len()), ([each; 3], each * 3));
    assert!(all.iter().all(|task| task.crashes == 0 && task.failures == 0 && task.fence <= 1));
    assert_eq!(bar.store.verify().await.unwrap(), []);
}

fn times() -> usize {
    if full() { 50 } else { 8 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_reported_right() {
    lose(|_| Commit::Swallowed, times()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_comes_late_is_done_once() {
    let seed = seed();
    println!("seed {seed}");
    // Before, while and after the node has come back.
    lose(move |throw| Commit::Late(u8::try_from(dice(seed, throw) % 256).unwrap()), times()).await;
}
