//! Another attempt: whose word counts, how long the pause is, what is kept, and what it costs meanwhile.

use std::sync::Arc;

use evertask::prelude::*;
use evertask::store::{SqliteStore, TaskState};
use evertask::testing::ManualClock;
use evertask::{
    Backoff, Clock as _, FailureKind, FailureReport, Handle, Queue, Retry, RetryAdvice, RetryHint, RunError,
};
use serde::{Deserialize, Serialize};

use crate::bench::{Bench, breaking, by_the_clock, fragile, named, secs, stage};

/// Fails each time, as often as it says.
#[task(queue = "stage", retry(times = 2, backoff = fixed("1s")))]
async fn fail_thrice(name: String, cx: &Context) -> Result<(), String> {
    stage(cx).begin(&name);
    Err(format!("{name} failed, attempt {}", cx.attempt()))
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum Http {
    #[error("429, retry after {0} s")]
    Busy(u64),
    #[error("400")]
    Wrong,
    #[error("500")]
    Down,
    #[error("a status that panics")]
    Odd,
}

impl RetryHint for Http {
    fn retry(&self) -> RetryAdvice {
        match self {
            Self::Busy(seconds) => RetryAdvice::After(secs(*seconds)),
            Self::Wrong => RetryAdvice::Never,
            Self::Down => RetryAdvice::Usual,
            Self::Odd => panic!("no advice"),
        }
    }
}

impl Http {
    fn but_busy_again(&self) -> RetryAdvice {
        if *self == Self::Wrong { RetryAdvice::After(secs(7)) } else { RetryAdvice::Never }
    }
}

#[task(queue = "stage", retry(times = 3, backoff = fixed("1s")))]
async fn fetch(says: Vec<Http>, cx: &Context) -> Result<u32, Http> {
    stage(cx).begin("fetch");
    says.into_iter().nth(cx.attempt() as usize - 1).map_or(Ok(cx.attempt()), Err)
}

/// What `retry_if` says counts, and not what the error says.
#[task(queue = "stage", retry(times = 1, backoff = fixed("1s")), retry_if = Http::but_busy_again)]
async fn fetch_advised(says: Http, cx: &Context) -> Result<(), Http> {
    stage(cx).begin("fetch");
    Err(says)
}

fn times(times: u32) -> Retry {
    Retry { times, backoff: Backoff::Fixed(secs(1)) }
}

async fn failure<W: Work>(of: &Handle<W>) -> FailureReport {
    match of.wait().await {
        Err(RunError::Failed { report, .. }) => report,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it succeeded"),
    }
}

/// When each attempt of a task starts that always fails, in milliseconds from the first.
async fn attempts(bench: &Bench, retry: Retry) -> Vec<i64> {
    let name = format!("{retry:?}");
    bench.dispatcher.dispatch(breaking(&name).retry(retry)).await.unwrap();
    bench.play().await;
    bench.times(&name).await
}

by_the_clock! {
    async fn the_nearest_word_wins(bench) {
        bench.stage.break_down(true);
        let worker = bench
            .settings()
            .queue("stage", Queue::new().retry(times(1)))
            .queue("other", Queue::new().undeclared())
            .start()
            .await
            .unwrap();
        let thrice = |name: &str| fail_thrice { name: name.into() };
        let ways = [
            (bench.dispatcher.dispatch(breaking("by its queue")).await.unwrap().id(), 2),
            (bench.dispatcher.dispatch(breaking("by nobody").queue("other")).await.unwrap().id(), 1),
            (bench.dispatcher.dispatch(breaking("by its dispatch").retry(times(4))).await.unwrap().id(), 5),
            (bench.dispatcher.dispatch(breaking("not at all").retry(Retry::NONE)).await.unwrap().id(), 1),
            (bench.dispatcher.dispatch(thrice("by its task")).await.unwrap().id(), 3),
            (bench.dispatcher.dispatch(thrice("by its dispatch").retry(times(5))).await.unwrap().id(), 6),
        ];
        bench.play().await;
        for (id, attempts) in ways {
            let record = bench.record(id).await;
            assert_eq!((record.state, record.failures), (TaskState::Failed, attempts), "{record:?}");
            assert_eq!(record.failure.unwrap().attempts, attempts);
        }
        worker.shutdown().await;
    }

    async fn a_pause_is_as_long_as_it_says(bench) {
        bench.stage.break_down(true);
        let worker = bench.worker(Queue::new()).await;
        let retry = |backoff| Retry { times: 4, backoff };
        assert_eq!(attempts(&bench, Retry::NONE).await, [0]);
        assert_eq!(attempts(&bench, retry(Backoff::Fixed(secs(5)))).await, [0, 5_000, 10_000, 15_000, 20_000]);
        let linear = Backoff::Linear { first: secs(2), max: secs(5) };
        assert_eq!(attempts(&bench, retry(linear)).await, [0, 2_000, 6_000, 11_000, 16_000]);
        let list = Retry::list(&[secs(1), secs(60), secs(3_600)]);
        assert_eq!(attempts(&bench, list).await, [0, 1_000, 61_000, 3_661_000]);
        worker.shutdown().await;
    }

    async fn an_exponential_pause_is_capped_and_jittered(bench) {
        bench.stage.break_down(true);
        let worker = bench.worker(Queue::new().concurrency(200)).await;
        let backoff = Backoff::Exponential { first: secs(1), max: secs(4) };
        let retry = Retry { times: 5, backoff };
        let mut tasks = Vec::new();
        for number in 0..100 {
            tasks.push(bench.dispatcher.dispatch(breaking(format!("task {number}")).retry(retry)).await.unwrap());
        }
        bench.play().await;
        let mut of_the_whole = Vec::new();
        for number in 0..100 {
            let times = bench.times(&format!("task {number}")).await;
            assert_eq!(times.len(), 6);
            for (pause, whole) in times.windows(2).map(|pair| pair[1] - pair[0]).zip([1_000, 2_000, 4_000, 4_000, 4_000]) {
                assert!((0..=whole).contains(&pause), "{pause} of {whole}");
                of_the_whole.push(pause * 100 / whole);
            }
        }
        // Full jitter: anything from nothing to the whole.
        let among = |from, to| of_the_whole.iter().filter(|part| (from..to).contains(*part)).count();
        let quarters = [among(0, 25), among(25, 50), among(50, 75), among(75, 101)];
        println!("500 pauses, by quarters of the whole: {quarters:?}");
        assert!(quarters.iter().all(|quarter| (75..=175).contains(quarter)), "{quarters:?}");
        worker.shutdown().await;
    }

    async fn a_waiting_retry_holds_no_slot(bench) {
        bench.stage.break_down(true);
        let worker = bench.worker(Queue::new().concurrency(1)).await;
        let hour = Retry { times: 1, backoff: Backoff::Fixed(secs(3_600)) };
        let waits = bench.dispatcher.dispatch(breaking("waits").retry(hour)).await.unwrap();
        bench.stage.starts(1).await;
        let other = bench.dispatcher.dispatch(named("other")).await.unwrap();
        assert_eq!(other.wait().await.unwrap(), "other");
        let record = bench.record(waits.id()).await;
        assert_eq!((record.state, record.failures, record.worker), (TaskState::Ready, 1, None));
        assert_eq!(record.run_at, bench.now().plus(secs(3_600)));
        let queue = bench.dispatcher.queue("stage").await.unwrap().unwrap();
        assert_eq!((queue.running, queue.due, queue.later), (0, 0, 1));
        bench.stage.break_down(false);
        bench.clock.advance(secs(3_600));
        assert_eq!(waits.wait().await.unwrap(), "waits");
        worker.shutdown().await;
    }

    async fn every_error_is_kept_with_its_time(bench) {
        let worker = bench.worker(Queue::new()).await;
        let begun = bench.now();
        let task = bench.dispatcher.dispatch(fail_thrice { name: "it".into() }).await.unwrap();
        bench.play().await;
        let kept = bench.dispatcher.attempts(task.id()).await.unwrap();
        let kept: Vec<_> = kept.iter().map(|kept| (begun.until(kept.at).as_secs(), kept.report.message.as_str())).collect();
        assert_eq!(kept, [(0, "it failed, attempt 1"), (1, "it failed, attempt 2"), (2, "it failed, attempt 3")]);
        let report = failure(&task).await;
        assert_eq!((report.message.as_str(), report.attempts), ("it failed, attempt 3", 3));
        worker.shutdown().await;
    }

    async fn an_error_says_when_to_try_again(bench) {
        let worker = bench.worker(Queue::new()).await;
        let task = bench.dispatcher.dispatch(fetch { says: vec![Http::Busy(90), Http::Down] }).await.unwrap();
        bench.play().await;
        assert_eq!(task.wait().await.unwrap(), 3);
        assert_eq!(bench.times("fetch").await, [0, 90_000, 91_000], "90 s as it said, then the usual second");
        worker.shutdown().await;
    }

    async fn retry_after_is_one_of_the_attempts(bench) {
        let worker = bench.worker(Queue::new()).await;
        let busy = fetch { says: vec![Http::Busy(60); 9] };
        let task = bench.dispatcher.dispatch(busy).await.unwrap();
        bench.play().await;
        let report = failure(&task).await;
        assert_eq!((report.attempts, report.message.as_str()), (4, "429, retry after 60 s"));
        assert_eq!(bench.times("fetch").await, [0, 60_000, 120_000, 180_000]);
        worker.shutdown().await;
    }

    async fn an_error_says_that_it_is_final(bench) {
        let worker = bench.worker(Queue::new()).await;
        let task = bench.dispatcher.dispatch(fetch { says: vec![Http::Wrong] }).await.unwrap();
        assert_eq!(failure(&task).await.attempts, 1);
        // It stays so, whatever the dispatch says of attempts.
        let task = bench.dispatcher.dispatch(fetch { says: vec![Http::Wrong] }.retry(times(9))).await.unwrap();
        assert_eq!(failure(&task).await.attempts, 1);
        worker.shutdown().await;
    }

    async fn advice_that_panics_is_no(bench) {
        let worker = bench.worker(Queue::new()).await;
        let task = bench.dispatcher.dispatch(fetch { says: vec![Http::Odd] }).await.unwrap();
        let report = failure(&task).await;
        assert_eq!((report.kind, report.attempts), (FailureKind::Error, 1));
        let lines = bench.dispatcher.log(task.id()).await.unwrap();
        assert_eq!(lines[0].text, "its retry advice panicked: no advice");
        worker.shutdown().await;
    }

    async fn retry_if_is_asked_instead_of_the_error(bench) {
        let worker = bench.worker(Queue::new()).await;
        let wrong = bench.dispatcher.dispatch(fetch_advised { says: Http::Wrong }).await.unwrap();
        bench.play().await;
        assert_eq!(failure(&wrong).await.attempts, 2);
        assert_eq!(bench.times("fetch").await, [0, 7_000]);
        let busy = bench.dispatcher.dispatch(fetch_advised { says: Http::Busy(1) }).await.unwrap();
        assert_eq!(failure(&busy).await.attempts, 1);
        worker.shutdown().await;
    }

    async fn what_waits_for_its_retry_can_be_cancelled(bench) {
        bench.stage.break_down(true);
        let worker = bench.worker(Queue::new()).await;
        let task = bench.dispatcher.dispatch(breaking("it").retry(times(1))).await.unwrap();
        bench.stage.starts(1).await;
        bench.quiet().await;
        assert_eq!(bench.state(task.id()).await, TaskState::Ready);
        task.cancel().await.unwrap();
        assert!(matches!(task.wait().await, Err(RunError::Cancelled { .. })));
        bench.play().await;
        assert_eq!(bench.stage.count(), 1);
        worker.shutdown().await;
    }
}

#[tokio::test]
async fn a_retry_survives_a_restart() {
    let (clock, folder) = (ManualClock::new(), tempfile::tempdir().unwrap());
    let open = || {
        let store = SqliteStore::open(&folder.path().join("work.db"), Arc::new(clock.clone())).unwrap();
        Bench::of(Arc::new(store), clock.clone())
    };
    let bench = open();
    bench.stage.break_down(true);
    let worker = bench.worker(Queue::new()).await;
    let retry = Retry::list(&[secs(60), secs(600)]);
    let id = bench.dispatcher.dispatch(breaking("it").retry(retry)).await.unwrap().id();
    bench.stage.starts(1).await;
    bench.quiet().await;
    worker.shutdown().await;
    bench.dispatcher.close().await.unwrap();

    let bench = open();
    bench.stage.break_down(true);
    let record = bench.record(id).await;
    assert_eq!((record.state, record.failures), (TaskState::Ready, 1));
    assert_eq!(record.run_at, clock.now().plus(secs(60)));
    assert_eq!(bench.dispatcher.attempts(id).await.unwrap()[0].report.message, "it broke");
    let worker = bench.worker(Queue::new()).await;
    bench.pulse().await;
    assert_eq!(bench.stage.count(), 0, "it is not due yet");
    clock.advance(secs(60));
    bench.stage.starts(1).await;
    bench.quiet().await;
    assert_eq!(bench.record(id).await.run_at, clock.now().plus(secs(600)), "what its dispatch said is kept too");
    bench.stage.break_down(false);
    clock.advance(secs(600));
    assert_eq!(bench.dispatcher.handle::<fragile>(id).wait().await.unwrap(), "it");
    worker.shutdown().await;
    bench.dispatcher.close().await.unwrap();
}
