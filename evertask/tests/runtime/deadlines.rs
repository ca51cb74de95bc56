//! The time that a task may take in all: while it waits, runs, and between its attempts.

use std::convert::Infallible;
use std::time::Duration;

use evertask::prelude::*;
use evertask::store::{RunState, TaskState};
use evertask::{Backoff, FailureKind, FailureReport, Handle, Queue, Retry, RunError, workflow};

use crate::bench::{breaking, by_the_clock, holding, named, note, secs, stage};

/// Never done by itself.
#[task(queue = "stage", retry(times = 5, backoff = fixed("1ms")))]
async fn dawdle(name: String, cx: &Context) -> Result<(), Infallible> {
    stage(cx).begin(&name);
    cx.cancelled().await;
    cx.log("told");
    Ok(())
}

/// Has a time in all, and one for each attempt.
#[task(queue = "stage", deadline = "1m", timeout = "30ms", retry(times = 9, backoff = fixed("25s")))]
async fn hang(name: String, cx: &Context) -> Result<(), Infallible> {
    stage(cx).begin(&name);
    std::future::pending().await
}

/// Is never done in its time.
#[task(queue = "stage", deadline = "30ms", retry(times = 9))]
async fn hurry(name: String, cx: &Context) -> Result<(), Infallible> {
    stage(cx).begin(&name);
    std::future::pending().await
}

workflow! {
    /// Hurries, and notes that it was too slow.
    Late<String -> String> {
        hurry {
            on_ok         => done("in time".to_owned()),
            on_timeout(f) => note { name: format!("too slow: {}", f.payload.name) },
        }
        note { on_ok(name) => done(name) }
    }
}

workflow! {
    /// Notes, and notes again an hour later.
    Slow<String> {
        note { on_ok(name) => again { name } after "1h" }
        again = note { on_ok(_) => end }
    }
}

workflow! {
    /// Its second step has a time in all of its own.
    Then<String> {
        note { on_ok(name) => hang { name } after "1h" }
        hang { on_ok => end }
    }
}

fn every(seconds: u64) -> Retry {
    Retry { times: 9, backoff: Backoff::Fixed(secs(seconds)) }
}

async fn failure<W: Work>(of: &Handle<W>) -> FailureReport {
    match of.wait().await {
        Err(RunError::Failed { report, .. }) => report,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it succeeded"),
    }
}

by_the_clock! {
    async fn one_that_passes_while_it_waits_starts_no_handler(bench) {
        let worker = bench.worker(Queue::new()).await;
        bench.dispatcher.pause_queue("stage").await.unwrap();
        let task = bench.dispatcher.dispatch(named("late").deadline("1m")).await.unwrap();
        assert_eq!(bench.record(task.id()).await.deadline, Some(bench.now().plus(secs(60))));
        bench.clock.advance(secs(60));
        bench.dispatcher.resume_queue("stage").await.unwrap();
        let report = failure(&task).await;
        assert_eq!((report.kind, report.message.as_str()), (FailureKind::Deadline, "its deadline has passed"));
        assert_eq!(bench.stage.count(), 0);
        worker.shutdown().await;
    }

    async fn one_that_is_not_over_does_nothing(bench) {
        let worker = bench.worker(Queue::new()).await;
        bench.dispatcher.pause_queue("stage").await.unwrap();
        let task = bench.dispatcher.dispatch(named("in time").deadline("1m")).await.unwrap();
        bench.clock.advance(Duration::from_millis(59_999));
        bench.dispatcher.resume_queue("stage").await.unwrap();
        assert_eq!(task.wait().await.unwrap(), "in time");
        worker.shutdown().await;
    }

    async fn it_begins_when_the_task_is_first_due(bench) {
        let worker = bench.worker(Queue::new()).await;
        let task = bench.dispatcher.dispatch(named("later").after("1h").deadline("1m")).await.unwrap();
        assert_eq!(bench.record(task.id()).await.deadline, Some(bench.now().plus(secs(3_660))));
        bench.clock.advance(secs(3_600));
        assert_eq!(task.wait().await.unwrap(), "later");
        worker.shutdown().await;
    }

    async fn what_runs_is_told_and_not_tried_again(bench) {
        let worker = bench.settings().grace("1h").start().await.unwrap();
        let task = bench.dispatcher.dispatch(dawdle { name: "slow".into() }.deadline("30ms")).await.unwrap();
        let report = failure(&task).await;
        assert_eq!((report.kind, report.attempts), (FailureKind::Deadline, 1));
        assert_eq!(bench.dispatcher.log(task.id()).await.unwrap()[0].text, "told");
        worker.shutdown().await;
    }

    async fn the_shorter_of_the_two_times_counts(bench) {
        let worker = bench.settings().grace("1h").start().await.unwrap();
        let slow = |name: &str| dawdle { name: name.into() }.retry(Retry::NONE);
        let timed_out = bench.dispatcher.dispatch(slow("a").timeout("20ms").deadline("1h")).await.unwrap();
        assert_eq!(failure(&timed_out).await.kind, FailureKind::Timeout);
        let late = bench.dispatcher.dispatch(slow("b").timeout("1h").deadline("20ms")).await.unwrap();
        assert_eq!(failure(&late).await.kind, FailureKind::Deadline);
        worker.shutdown().await;
    }

    async fn no_attempt_begins_after_it(bench) {
        bench.stage.break_down(true);
        let worker = bench.worker(Queue::new()).await;
        let task = breaking("it").retry(every(25)).deadline("1m");
        let task = bench.dispatcher.dispatch(task).await.unwrap();
        bench.play().await;
        let report = failure(&task).await;
        assert_eq!((report.kind, report.attempts), (FailureKind::Error, 3));
        assert_eq!(bench.times("it").await, [0, 25_000, 50_000], "the fourth would begin at 75 s");
        worker.shutdown().await;
    }

    async fn a_task_has_both_times_and_its_dispatch_says_others(bench) {
        let worker = bench.worker(Queue::new()).await;
        let task = bench.dispatcher.dispatch(hang { name: "as declared".into() }).await.unwrap();
        bench.play().await;
        let report = failure(&task).await;
        assert_eq!((report.kind, report.attempts), (FailureKind::Timeout, 3), "three attempts fit into a minute");
        let task = bench.dispatcher.dispatch(hang { name: "as dispatched".into() }.deadline("2m")).await.unwrap();
        bench.play().await;
        assert_eq!(failure(&task).await.attempts, 5, "at 0, 25, 50, 75 and 100 s");
        worker.shutdown().await;
    }

    async fn a_passed_one_takes_the_arm_of_a_time_out(bench) {
        let worker = bench.worker(Queue::new()).await;
        let run = bench.dispatcher.dispatch(Late("it".into())).await.unwrap();
        assert_eq!(run.wait().await.unwrap(), "too slow: it");
        assert_eq!(bench.stage.names(0).await, ["it", "too slow: it"]);
        worker.shutdown().await;
    }

    async fn a_step_has_its_own_from_when_it_is_due(bench) {
        let worker = bench.worker(Queue::new()).await;
        let run = bench.dispatcher.dispatch(Then("it".into())).await.unwrap();
        bench.stage.starts(1).await;
        bench.quiet().await;
        let step = bench.live().await.remove(0);
        assert_eq!(step.deadline, Some(bench.now().plus(secs(3_660))));
        bench.play().await;
        assert_eq!(failure(&run).await.attempts, 3);
        worker.shutdown().await;
    }

    async fn a_run_has_one(bench) {
        let worker = bench.worker(Queue::new()).await;
        let deadline = bench.dispatcher.dispatch(Slow("a".into()).deadline("10m")).await.unwrap();
        let timeout = bench.dispatcher.dispatch(Slow("b".into()).timeout("10m")).await.unwrap();
        let neither = bench.dispatcher.dispatch(Slow("c".into())).await.unwrap();
        bench.stage.starts(3).await;
        bench.quiet().await;
        bench.clock.advance(secs(600));
        for run in [deadline, timeout] {
            let report = failure(&run).await;
            assert_eq!(report.kind, FailureKind::Timeout);
            assert_eq!(bench.dispatcher.get_run(run.id()).await.unwrap().unwrap().state, RunState::Failed);
        }
        bench.play().await;
        neither.wait().await.unwrap();
        assert_eq!(bench.stage.count(), 4);
        worker.shutdown().await;
    }

    async fn a_cancelled_one_is_cancelled_whatever_the_time(bench) {
        let worker = bench.worker(Queue::new()).await;
        let task = bench.dispatcher.dispatch(holding("it").deadline("1h")).await.unwrap();
        bench.stage.starts(1).await;
        bench.clock.advance(secs(7_200));
        task.cancel().await.unwrap();
        assert!(matches!(task.wait().await, Err(RunError::Cancelled { .. })));
        assert_eq!(bench.record(task.id()).await.state, TaskState::Cancelled);
        worker.shutdown().await;
    }
}
