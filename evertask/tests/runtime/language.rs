//! The words of a workflow block, run: `with`, `each`, `join`, `undo`, `rollback`, `wait`, `after`, `limit`, and a
//! workflow as a step.

use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use evertask::prelude::*;
use evertask::store::{RunState, SignalOutcome, TaskFilter, TaskRecord, TaskState};
use evertask::{Dispatcher, FailureReport, RunError, RunId, workflow};
use serde::{Deserialize, Serialize};

use crate::{on_each_store, worker};

/// What was done to each order, in turn.
static DONE: Mutex<Vec<(u64, &'static str)>> = Mutex::new(Vec::new());

fn note(order: u64, what: &'static str) {
    DONE.lock().unwrap().push((order, what));
}

fn done_to(order: u64) -> Vec<&'static str> {
    DONE.lock().unwrap().iter().filter(|(of, _)| *of == order).map(|(_, what)| *what).collect()
}

/// A number that no other test has.
fn new_order() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Words {
    title: String,
    words: Vec<String>,
}

#[task]
async fn open(text: Words) -> Result<Vec<String>, String> {
    if text.title == "closed" { Err("it is closed".to_owned()) } else { Ok(text.words) }
}

#[task]
async fn measure(word: String) -> Result<usize, String> {
    if word == "bad" { Err("a bad word".to_owned()) } else { Ok(word.len()) }
}

#[task]
async fn sum(counts: Vec<usize>) -> Result<usize, Infallible> {
    Ok(counts.into_iter().sum())
}

#[task]
async fn join_up(words: Vec<String>) -> Result<String, Infallible> {
    Ok(words.join(" "))
}

#[task]
async fn describe(counts: Vec<usize>, text: String) -> Result<String, Infallible> {
    Ok(format!("{text} {counts:?}"))
}

#[task]
async fn settle(
    outcomes: (Vec<Result<usize, FailureReport>>, Result<String, FailureReport>),
) -> Result<String, String> {
    let (counts, text) = outcomes;
    let counts: Vec<_> = counts.into_iter().map(|count| count.map_err(|report| report.message)).collect();
    Ok(format!("{counts:?} of {}", text.map_err(|report| report.message)?))
}

workflow! {
    /// Each word, and all of them at once; then both outputs, with what was before.
    Describe<Words -> String> {
        open {
            on_ok(words) => [each measure(words.clone()) limit 2, join_up(words)],
        }
        join (each measure, join_up) => describe;
        describe {
            on_ok(text) with input(Words { title, .. }), open(words) => done(format!("{title}: {text} of {}", words.len())),
        }
    }
}

workflow! {
    /// The same, whatever becomes of the members.
    Settle<Words -> String> {
        open { on_ok(words) => [each measure(words.clone()), join_up(words)] }
        join all settled (each measure, join_up) => settle;
    }
}

workflow! {
    /// A join of one `each` alone.
    Total<Words -> usize> {
        open { on_ok(words) => each measure(words) }
        join (each measure) => sum;
    }
}

workflow! {
    /// A workflow as a step, which fails with what it fails with.
    Twice<Words -> String> {
        open { on_ok with input(text) => Total(text) }
        Total {
            on_ok(total) => done(format!("twice {total}")),
            on_err(report) => fail(format!("no total: {}", report.message)),
        }
    }
}

#[task]
async fn book(order: u64) -> Result<u64, Infallible> {
    note(order, "book");
    Ok(order)
}

#[task]
async fn unbook(order: u64) -> Result<(), Infallible> {
    note(order, "unbook");
    Ok(())
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Charge {
    Taken { order: u64 },
    Free,
}

#[task]
async fn charge(order: u64) -> Result<Charge, Infallible> {
    note(order, "charge");
    Ok(if order == u64::MAX { Charge::Free } else { Charge::Taken { order } })
}

#[task]
async fn refund(order: u64) -> Result<(), Infallible> {
    note(order, "refund");
    Ok(())
}

#[task]
async fn ship(order: u64) -> Result<u64, String> {
    note(order, "ship");
    Err("no ship".to_owned())
}

workflow! {
    /// Fails at its last step, and undoes those before, newest first.
    Order<u64 -> u64> {
        book {
            on_ok => charge,
            undo(order) => unbook { order },
        }
        charge {
            on_ok(Charge::Taken { order }) => ship { order },
            on_ok(Charge::Free) => fail("free"),
            undo(Charge::Taken { order }) => refund { order },
        }
        ship { on_err => rollback }
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum Approval {
    Granted { by: String },
    Refused,
}

workflow! {
    /// Waits for a person.
    Review<String -> String> {
        draft = echo { on_ok => approval }
        wait approval<Approval> for "10m" {
            on_ok(Approval::Granted { by }) with draft(text) => done(format!("{text}, {by}")),
            on_ok(Approval::Refused) => fail("refused"),
        }
    }
}

workflow! {
    /// Does not wait long.
    Impatient<String -> String> {
        echo { on_ok => answer }
        wait answer<String> for "20ms" {
            on_ok(text) => done(text),
            on_timeout with echo(text) => done(format!("no answer to {text}")),
        }
    }
}

#[task]
async fn echo(text: String) -> Result<String, Infallible> {
    Ok(text)
}

#[task]
async fn poll(left: u32) -> Result<Option<u32>, Infallible> {
    Ok(left.checked_sub(1))
}

workflow! {
    /// Goes round until nothing is left, at most five times.
    Poll<u32 -> String> {
        poll {
            on_ok(Some(left)) => poll { left } after Duration::from_millis(u64::from(left)) limit 5,
            on_ok(None) with input(from) => done(format!("from {from}")),
        }
    }
}

fn words(title: &str, words: &[&str]) -> Words {
    Words { title: title.to_owned(), words: words.iter().map(|word| (*word).to_owned()).collect() }
}

fn message<T: std::fmt::Debug, E: std::fmt::Debug>(outcome: Result<T, RunError<E>>) -> String {
    match outcome {
        Err(RunError::Failed { report, .. }) => report.message,
        other => panic!("{other:?}"),
    }
}

async fn of_step(dispatcher: &Dispatcher, run: RunId, step: &str) -> Vec<TaskRecord> {
    let mut tasks = dispatcher.list(TaskFilter::new().run(run)).await.unwrap();
    tasks.retain(|task| task.step.as_deref() == Some(step));
    tasks
}

on_each_store! {
    async fn a_join_gives_what_its_members_gave_in_their_order(dispatcher) {
        let worker = worker(&dispatcher).await;
        let run = dispatcher.dispatch(Describe(words("Poem", &["a", "rose", "is"]))).await.unwrap();
        assert_eq!(run.wait().await.unwrap(), "Poem: a rose is [1, 4, 2] of 3");
        let mut items: Vec<_> = of_step(&dispatcher, run.id(), "measure").await.iter().map(|task| task.item).collect();
        items.sort_unstable();
        assert_eq!(items, [Some(0), Some(1), Some(2)]);
        worker.shutdown().await;
    }

    async fn a_join_of_no_items_goes_on(dispatcher) {
        let worker = worker(&dispatcher).await;
        let none = dispatcher.dispatch(Describe(words("Nothing", &[]))).await.unwrap();
        assert_eq!(none.wait().await.unwrap(), "Nothing:  [] of 0");
        let none = dispatcher.dispatch(Total(words("Nothing", &[]))).await.unwrap();
        assert_eq!(none.wait().await.unwrap(), 0);
        let some = dispatcher.dispatch(Total(words("Some", &["a", "bc"]))).await.unwrap();
        assert_eq!(some.wait().await.unwrap(), 3);
        worker.shutdown().await;
    }

    async fn a_member_that_fails_fails_the_run_or_is_settled(dispatcher) {
        let worker = worker(&dispatcher).await;
        let text = words("Poem", &["a", "bad", "rose"]);
        let run = dispatcher.dispatch(Describe(text.clone())).await.unwrap();
        assert_eq!(message(run.wait().await), "a bad word");
        let run = dispatcher.dispatch(Settle(text)).await.unwrap();
        assert_eq!(run.wait().await.unwrap(), r#"[Ok(1), Err("a bad word"), Ok(4)] of a bad rose"#);
        worker.shutdown().await;
    }

    async fn a_rollback_undoes_what_completed_newest_first(dispatcher) {
        let worker = worker(&dispatcher).await;
        let order = new_order();
        let run = dispatcher.dispatch(Order(order)).await.unwrap();
        assert_eq!(message(run.wait().await), "no ship");
        assert_eq!(done_to(order), ["book", "charge", "ship", "refund", "unbook"]);
        let undone = dispatcher.list(TaskFilter::new().run(run.id()).state(TaskState::Succeeded)).await.unwrap();
        assert_eq!(undone.iter().filter(|task| task.is_undo).count(), 2);
        worker.shutdown().await;
    }

    async fn what_was_not_done_is_not_undone(dispatcher) {
        let worker = worker(&dispatcher).await;
        let run = dispatcher.dispatch(Order(u64::MAX)).await.unwrap();
        assert_eq!(message(run.wait().await), "free");
        assert!(of_step(&dispatcher, run.id(), "refund").await.is_empty());
        assert_eq!(of_step(&dispatcher, run.id(), "unbook").await.len(), 1);
        worker.shutdown().await;
    }

    async fn a_wait_ends_with_its_signal(dispatcher) {
        let worker = worker(&dispatcher).await;
        let run = dispatcher.dispatch(Review("a letter".to_owned())).await.unwrap();
        let granted = Approval::Granted { by: "Ada".to_owned() };
        let outcome = dispatcher.signal(run.id(), Review::approval, &granted).await.unwrap();
        assert!(matches!(outcome, SignalOutcome::Delivered | SignalOutcome::Kept), "{outcome:?}");
        assert_eq!(run.wait().await.unwrap(), "a letter, Ada");
        assert_eq!(dispatcher.signal(run.id(), Review::approval, &granted).await.unwrap(), SignalOutcome::Ended);
        let run = dispatcher.dispatch(Review("another".to_owned())).await.unwrap();
        dispatcher.signal(run.id(), Review::approval, &Approval::Refused).await.unwrap();
        assert_eq!(message(run.wait().await), "refused");
        worker.shutdown().await;
    }

    async fn a_wait_ends_with_its_time_out(dispatcher) {
        let worker = worker(&dispatcher).await;
        let run = dispatcher.dispatch(Impatient("hello".to_owned())).await.unwrap();
        assert_eq!(run.wait().await.unwrap(), "no answer to hello");
        worker.shutdown().await;
    }

    async fn a_loop_ends_where_it_says_or_at_its_limit(dispatcher) {
        let worker = worker(&dispatcher).await;
        let run = dispatcher.dispatch(Poll(3)).await.unwrap();
        assert_eq!(run.wait().await.unwrap(), "from 3");
        assert_eq!(of_step(&dispatcher, run.id(), "poll").await.len(), 4);
        let run = dispatcher.dispatch(Poll(9)).await.unwrap();
        assert_eq!(message(run.wait().await), "the step `poll` has run 5 times, its limit");
        assert_eq!(of_step(&dispatcher, run.id(), "poll").await.len(), 5);
        worker.shutdown().await;
    }

    async fn a_workflow_is_a_step(dispatcher) {
        let worker = worker(&dispatcher).await;
        let run = dispatcher.dispatch(Twice(words("Poem", &["a", "rose"]))).await.unwrap();
        assert_eq!(run.wait().await.unwrap(), "twice 5");
        let run = dispatcher.dispatch(Twice(words("Poem", &["bad"]))).await.unwrap();
        assert_eq!(message(run.wait().await), "no total: a bad word");
        assert_eq!(dispatcher.get_run(run.id()).await.unwrap().unwrap().state, RunState::Failed);
        worker.shutdown().await;
    }
}
