//! Handlers that end their tasks in transactions of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use evertask::sqlx::PgPool;
use evertask::store::TaskState;
use evertask::{CompleteError, DispatchError, Dispatcher, MAX_PAYLOAD, RunError, prelude::*, sqlx, workflow};

use crate::effects;
use crate::on_server::Market;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a handler does after its task was ended in its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Then {
    Commit,
    /// The answer to the commit is lost.
    FailCommitted,
    /// It fails, once, without a commit.
    FailOnce,
    /// It says that it has succeeded, and has not committed.
    Forget,
    /// It panics, once, before the commit.
    PanicOnce,
}

/// How often handlers began.
#[derive(Default)]
pub(crate) struct Begun(AtomicU32);

/// What the tasks here need, if nothing better is given.
pub(crate) fn outfit(worker: evertask::WorkerBuilder) -> evertask::WorkerBuilder {
    let nowhere = PgPool::connect_lazy("postgres://nobody@localhost:1/nowhere").unwrap();
    worker.data(Arc::new(Begun::default())).data(Arc::new(Overtaken::default())).data(nowhere)
}

#[task(retry(times = 2, backoff = fixed("1ms")))]
async fn book(id: uuid::Uuid, then: Then, begun: &Arc<Begun>, pool: &PgPool, cx: &Context) -> Result<i64, Error> {
    let first = begun.0.fetch_add(1, Ordering::SeqCst) == 0;
    let mut tx = pool.begin().await?;
    let sale = sqlx::query("INSERT INTO sale VALUES ($1, 10)").bind(id);
    sale.execute(&mut *tx).await?;
    cx.dispatch(thank { amount: 10 })?;
    cx.log("booked");
    cx.complete_in(&mut tx, &10_i64).await?;
    let late = cx.dispatch(thank { amount: 11 });
    assert!(matches!(late, Err(DispatchError::Completed { .. })), "{late:?}");
    match then {
        Then::FailOnce if first => return Err("no commit".into()),
        Then::PanicOnce if first => panic!("no commit"),
        Then::Forget => return Ok(10),
        _ => tx.commit().await?,
    }
    if then == Then::FailCommitted { Err("the answer was lost".into()) } else { Ok(10) }
}

#[task]
async fn thank(amount: i64) -> Result<i64, std::convert::Infallible> {
    Ok(amount + 1)
}

workflow! {
    /// A sale, and thanks for it.
    Booking<book -> i64> {
        book { on_ok(amount) => thank { amount } }
        thank { on_ok(sum) => done(sum) }
    }
}

/// Runs one booking. How its run ended, how often its handler began, and whether the sale is there.
async fn booked(then: Then) -> (Result<i64, RunError<evertask::FailureReport>>, u32, bool) {
    let market = Market::open().await;
    let begun = Arc::new(Begun::default());
    let worker =
        effects::outfit(&market.dispatcher).data(market.pool.clone()).data(begun.clone()).start().await.unwrap();
    let id = evertask::TaskId::new().uuid();
    let run = market.dispatcher.dispatch(Booking(book { id, then })).await.unwrap();
    let end = run.wait().await;
    worker.shutdown().await;
    assert_eq!(market.dispatcher.verify().await.unwrap(), []);
    let tasks = market.dispatcher.list(evertask::store::TaskFilter::new()).await.unwrap();
    let of_run = tasks.iter().filter(|task| task.run.is_some()).count();
    assert_eq!((tasks.len(), of_run), (3, 2), "what it dispatched is there once, and what follows: {tasks:?}");
    assert!(tasks.iter().all(|task| task.state == TaskState::Succeeded), "{tasks:?}");
    let logged = market.dispatcher.log(tasks[0].id).await.unwrap().len();
    assert!(logged >= 1, "what it logged is kept");
    (end, begun.0.load(Ordering::SeqCst), market.sold(id).await)
}

#[tokio::test]
async fn what_it_wrote_commits_with_the_task_and_what_follows() {
    let (end, begun, sold) = booked(Then::Commit).await;
    assert_eq!((end.unwrap(), begun, sold), (11, 1, true));
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_done_again() {
    let (end, begun, sold) = booked(Then::FailCommitted).await;
    assert_eq!((end.unwrap(), begun, sold), (11, 1, true));
}

#[tokio::test]
async fn without_a_commit_an_error_or_a_panic_counts() {
    for then in [Then::FailOnce, Then::PanicOnce] {
        let (end, begun, sold) = booked(then).await;
        assert_eq!((end.unwrap(), begun, sold), (11, 2, true), "{then:?}");
    }
}

#[tokio::test]
async fn without_a_commit_what_the_handler_gives_counts() {
    let (end, begun, sold) = booked(Then::Forget).await;
    assert_eq!((end.unwrap(), begun, sold), (11, 1, false));
}

#[task]
async fn misfit(pool: &PgPool, cx: &Context) -> Result<String, Error> {
    let mut tx = pool.begin().await?;
    let refused = cx.complete_in(&mut tx, &7_u8).await;
    Ok(refused.unwrap_err().to_string())
}

#[tokio::test]
async fn an_output_of_another_type_is_an_error_that_says_so() {
    let market = Market::open().await;
    let worker = effects::outfit(&market.dispatcher).data(market.pool.clone()).start().await.unwrap();
    let said = market.dispatcher.dispatch(misfit {}).await.unwrap().wait().await.unwrap();
    assert!(said.contains("`misfit` gives a `alloc::string::String`, and was to end with a `u8`"), "{said}");
    worker.shutdown().await;
}

#[task]
async fn overflow(pool: &PgPool, cx: &Context) -> Result<String, Error> {
    let mut tx = pool.begin().await?;
    let refused = cx.complete_in(&mut tx, &"x".repeat(MAX_PAYLOAD)).await;
    assert!(matches!(refused, Err(CompleteError::TooLarge { limit: MAX_PAYLOAD, .. })), "{refused:?}");
    Ok(refused.unwrap_err().to_string())
}

#[tokio::test]
async fn an_output_that_is_too_large_is_an_error_that_says_so() {
    let market = Market::open().await;
    let worker = effects::outfit(&market.dispatcher).data(market.pool.clone()).start().await.unwrap();
    let said = market.dispatcher.dispatch(overflow {}).await.unwrap().wait().await.unwrap();
    assert!(said.starts_with("the output has 1048578 bytes, and may have 1048576: "), "{said}");
    worker.shutdown().await;
}

/// Two attempts of one task: the first is stopped until the second has ended it.
#[derive(Default)]
pub(crate) struct Overtaken {
    store: std::sync::Mutex<Option<Dispatcher>>,
    refused: AtomicU32,
}

#[task]
async fn overtake(lost: &Arc<Overtaken>, pool: &PgPool, cx: &Context) -> Result<(), Error> {
    let dispatcher = lost.store.lock().unwrap().take();
    let mut tx = pool.begin().await?;
    if let Some(dispatcher) = dispatcher {
        // Others take this worker for dead.
        let peers = dispatcher.store().workers().await?;
        dispatcher.store().reclaim(peers).await?;
    }
    match cx.complete_in(&mut tx, &()).await {
        Err(CompleteError::Lost) => {
            lost.refused.fetch_add(1, Ordering::SeqCst);
            Err("lost".into())
        }
        done => {
            done?;
            tx.commit().await?;
            Ok(())
        }
    }
}

#[tokio::test]
async fn a_lost_claim_ends_nothing() {
    let market = Market::open().await;
    let lost = Arc::new(Overtaken::default());
    *lost.store.lock().unwrap() = Some(market.dispatcher.clone());
    let worker = effects::outfit(&market.dispatcher).data(market.pool.clone()).data(lost.clone());
    let worker = worker.lease("600ms").start().await.unwrap();
    let task = market.dispatcher.dispatch(overtake {}).await.unwrap();
    task.wait().await.unwrap();
    worker.shutdown().await;
    assert_eq!(lost.refused.load(Ordering::SeqCst), 1);
    let record = market.dispatcher.get(task.id()).await.unwrap().unwrap();
    assert_eq!((record.fence, record.crashes, record.failures), (2, 1, 0));
    assert_eq!(market.dispatcher.verify().await.unwrap(), []);
}
