//! What has failed for good: seen, tried again with its own or another payload, in its run or alone, and thrown away.

use evertask::prelude::*;
use evertask::store::{Revived, RunState, TaskFilter, TaskState};
use evertask::{Backoff, DeadLetterError, Queue, Retry, RunError, TaskId, workflow};

use crate::bench::{Bench, breaking, by_the_clock, fragile, named, note, secs, stage};

workflow! {
    /// The middle one is fragile.
    Three<String -> String> {
        first = note { on_ok(name) => middle { name } }
        middle = fragile { on_ok(name) => last { name: format!("{name} mended") } }
        last = note { on_ok(name) => done(name) }
    }
}

workflow! {
    /// What fails is noted, so that it is no dead letter.
    Noted<String> {
        fragile {
            on_ok(_) => end,
            on_failure(f) => note { name: f.to_string() },
        }
        note { on_ok(_) => end }
    }
}

workflow! {
    /// Two side by side, one of which is fragile.
    Aside<String> {
        note { on_ok(name) => [fragile { name }, later { name: "later".into() } after "1h"] }
        fragile { on_ok(_) => end }
        later = note { on_ok(_) => end }
    }
}

/// Each account has a budget of its own.
#[task(queue = "stage", rate_limit("1/h", key = account), retry(times = 0))]
async fn withdraw(account: String, cx: &Context) -> Result<(), String> {
    stage(cx).begin(&account);
    if stage(cx).is_broken() { Err("no such account".into()) } else { Ok(()) }
}

/// A task that has failed for good.
async fn dead(bench: &Bench, name: &str) -> TaskId {
    bench.stage.break_down(true);
    let task = bench.dispatcher.dispatch(breaking(name)).await.unwrap();
    task.wait().await.unwrap_err();
    bench.stage.break_down(false);
    task.id()
}

by_the_clock! {
    async fn they_are_listed_and_inspected(bench) {
        let worker = bench.worker(Queue::new()).await;
        bench.stage.break_down(true);
        let retry = Retry { times: 2, backoff: Backoff::Fixed(secs(1)) };
        let task = bench.dispatcher.dispatch(breaking("it").retry(retry)).await.unwrap();
        bench.play().await;
        let other = bench.dispatcher.dispatch(named("well")).await.unwrap();
        other.wait().await.unwrap();
        let letters = bench.dispatcher.dead_letters();
        let listed = letters.list(TaskFilter::new()).await.unwrap();
        assert_eq!(listed.iter().map(|task| task.id).collect::<Vec<_>>(), [task.id()]);
        assert_eq!(letters.list(TaskFilter::new().name("note")).await.unwrap(), []);
        let letter = letters.inspect(task.id()).await.unwrap().unwrap();
        assert_eq!(letter.task.payload, br#"{"name":"it"}"#);
        assert_eq!(letter.task.failure.unwrap().message, "it broke");
        assert_eq!(letter.attempts.len(), 3);
        assert_eq!(letters.inspect(other.id()).await.unwrap(), None);
        worker.shutdown().await;
    }

    async fn one_is_tried_again_with_all_its_attempts(bench) {
        let worker = bench.worker(Queue::new()).await;
        bench.stage.break_down(true);
        let retry = Retry { times: 1, backoff: Backoff::Fixed(secs(1)) };
        let task = bench.dispatcher.dispatch(breaking("it").retry(retry).deadline("1h")).await.unwrap();
        bench.play().await;
        bench.clock.advance(secs(7_200));
        let letters = bench.dispatcher.dead_letters();
        assert_eq!(letters.retry(task.id()).await.unwrap(), Revived::Ready);
        bench.play().await;
        assert_eq!(bench.stage.count(), 4, "two attempts again, and its deadline is over and forgotten");
        assert_eq!(bench.dispatcher.attempts(task.id()).await.unwrap().len(), 4, "the history stays");
        bench.stage.break_down(false);
        assert_eq!(letters.retry(task.id()).await.unwrap(), Revived::Ready);
        assert_eq!(task.wait().await.unwrap(), "it");
        assert_eq!(letters.list(TaskFilter::new()).await.unwrap(), []);
        assert_eq!(letters.retry(task.id()).await.unwrap(), Revived::NotFailed);
        assert_eq!(letters.retry(TaskId::new()).await.unwrap(), Revived::NotFound);
        worker.shutdown().await;
    }

    async fn one_is_tried_again_with_another_payload(bench) {
        let worker = bench.worker(Queue::new()).await;
        let id = dead(&bench, "wrong").await;
        let letters = bench.dispatcher.dead_letters();
        let refused = letters.retry_with(id, &named("of another task")).await.unwrap_err();
        assert!(matches!(refused, DeadLetterError::OtherTask { .. }));
        assert_eq!(
            refused.to_string(),
            format!("task {id} is a `fragile`, and can't be tried again with the payload of `note`")
        );
        assert_eq!(bench.state(id).await, TaskState::Failed);
        assert_eq!(letters.retry_with(id, &breaking("right")).await.unwrap(), Revived::Ready);
        assert_eq!(bench.dispatcher.handle::<fragile>(id).wait().await.unwrap(), "right");
        worker.shutdown().await;
    }

    async fn another_payload_counts_where_its_own_key_says(bench) {
        let worker = bench.worker(Queue::new()).await;
        bench.stage.break_down(true);
        let task = bench.dispatcher.dispatch(withdraw { account: "wrong".into() }).await.unwrap();
        task.wait().await.unwrap_err();
        bench.stage.break_down(false);
        let right = withdraw { account: "right".into() };
        assert_eq!(bench.dispatcher.dead_letters().retry_with(task.id(), &right).await.unwrap(), Revived::Ready);
        bench.play().await;
        bench.dispatcher.dispatch(right).await.unwrap();
        bench.play().await;
        assert_eq!((bench.times("wrong").await, bench.times("right").await), (vec![0], vec![0, 3_600_000]));
        let starts = bench.stage.starts(3).await;
        assert_eq!(starts[0].at, starts[1].at, "nothing was spent of that account");
        worker.shutdown().await;
    }

    async fn a_run_goes_on_from_the_step_that_failed(bench) {
        let worker = bench.worker(Queue::new()).await;
        bench.stage.break_down(true);
        let run = bench.dispatcher.dispatch(Three("it".into())).await.unwrap();
        run.wait().await.unwrap_err();
        bench.stage.break_down(false);
        let letters = bench.dispatcher.dead_letters();
        let [letter] = &letters.list(TaskFilter::new().run(run.id())).await.unwrap()[..] else { panic!("there is one") };
        assert_eq!(letter.step.as_deref(), Some("middle"));
        assert_eq!(letters.retry(letter.id).await.unwrap(), Revived::Ready);
        assert_eq!(run.wait().await.unwrap(), "it mended");
        assert_eq!(bench.stage.names(0).await, ["it", "it", "it", "it mended"], "the first step is not run again");
        assert_eq!(bench.dispatcher.get_run(run.id()).await.unwrap().unwrap().failure, None);
        worker.shutdown().await;
    }

    async fn a_step_is_tried_again_with_another_payload(bench) {
        let worker = bench.worker(Queue::new()).await;
        bench.stage.break_down(true);
        let run = bench.dispatcher.dispatch(Three("it".into())).await.unwrap();
        run.wait().await.unwrap_err();
        bench.stage.break_down(false);
        let letters = bench.dispatcher.dead_letters();
        let id = letters.list(TaskFilter::new()).await.unwrap()[0].id;
        assert_eq!(letters.retry_with(id, &breaking("edited")).await.unwrap(), Revived::Ready);
        assert_eq!(run.wait().await.unwrap(), "edited mended");
        worker.shutdown().await;
    }

    async fn what_stopped_with_its_run_goes_on_with_it(bench) {
        let worker = bench.worker(Queue::new()).await;
        bench.stage.break_down(true);
        let run = bench.dispatcher.dispatch(Aside("it".into())).await.unwrap();
        run.wait().await.unwrap_err();
        bench.stage.break_down(false);
        let letters = bench.dispatcher.dead_letters();
        let failed = letters.list(TaskFilter::new()).await.unwrap()[0].id;
        assert_eq!(letters.retry(failed).await.unwrap(), Revived::Ready);
        bench.play().await;
        run.wait().await.unwrap();
        assert_eq!(bench.stage.names(0).await, ["it", "it", "it", "later"]);
        worker.shutdown().await;
    }

    async fn what_was_followed_is_not_tried_again(bench) {
        let worker = bench.worker(Queue::new()).await;
        bench.stage.break_down(true);
        let run = bench.dispatcher.dispatch(Noted("it".into())).await.unwrap();
        run.wait().await.unwrap();
        let letters = bench.dispatcher.dead_letters();
        let failed = letters.list(TaskFilter::new()).await.unwrap()[0].id;
        assert_eq!(letters.retry(failed).await.unwrap(), Revived::Followed);
        assert_eq!(bench.dispatcher.get_run(run.id()).await.unwrap().unwrap().state, RunState::Succeeded);
        worker.shutdown().await;
    }

    async fn many_are_tried_again_however_many_they_are(bench) {
        let worker = bench.worker(Queue::new().concurrency(500)).await;
        bench.stage.break_down(true);
        let tasks = bench.dispatcher.dispatch_all((0..250).map(|number| breaking(number.to_string()))).await.unwrap();
        bench.play().await;
        bench.stage.break_down(false);
        let letters = bench.dispatcher.dead_letters();
        let few = letters.retry_all(TaskFilter::new().name("fragile").limit(3)).await.unwrap();
        assert_eq!(few.len(), 3);
        assert_eq!(letters.retry_all(TaskFilter::new().name("note")).await.unwrap(), []);
        bench.play().await;
        let rest = letters.retry_all(TaskFilter::new().queue("stage")).await.unwrap();
        assert_eq!(rest.len(), 247);
        assert!(few.iter().chain(&rest).all(|(_, revived)| *revived == Revived::Ready));
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.wait().await.unwrap(), number.to_string());
        }
        worker.shutdown().await;
    }

    async fn many_runs_go_on_from_where_they_failed(bench) {
        let worker = bench.worker(Queue::new()).await;
        bench.stage.break_down(true);
        let runs = bench.dispatcher.dispatch_all((0..120).map(|number| Three(number.to_string()))).await.unwrap();
        bench.play().await;
        bench.stage.break_down(false);
        let revived = bench.dispatcher.dead_letters().retry_all(TaskFilter::new()).await.unwrap();
        assert_eq!(revived.len(), 120);
        assert!(revived.iter().all(|(_, revived)| *revived == Revived::Ready));
        for (number, run) in runs.into_iter().enumerate() {
            assert_eq!(run.wait().await.unwrap(), format!("{number} mended"));
        }
        assert_eq!(bench.stage.count(), 120 * 4, "each first step ran once, each middle one twice");
        worker.shutdown().await;
    }

    async fn they_are_discarded_with_all_that_is_theirs(bench) {
        let worker = bench.worker(Queue::new()).await;
        let (one, two) = (dead(&bench, "one").await, dead(&bench, "two").await);
        bench.stage.break_down(true);
        let run = bench.dispatcher.dispatch(Three("it".into())).await.unwrap();
        run.wait().await.unwrap_err();
        let waiting = bench.dispatcher.dispatch(named("waits").after("1h")).await.unwrap();
        let letters = bench.dispatcher.dead_letters();
        let step = letters.list(TaskFilter::new().run(run.id())).await.unwrap()[0].id;
        assert_eq!(letters.discard([step]).await.unwrap(), 0, "a step goes with its run");
        assert_eq!(letters.discard([waiting.id()]).await.unwrap(), 0, "what lives stays");
        assert_eq!(letters.discard([one]).await.unwrap(), 1);
        assert_eq!(letters.inspect(one).await.unwrap(), None);
        assert_eq!(bench.dispatcher.attempts(one).await.unwrap(), []);
        assert_eq!(letters.discard([evertask::WorkId::from(two), run.id().into()]).await.unwrap(), 2);
        assert!(matches!(run.wait().await, Err(RunError::NotFound { .. })));
        assert_eq!(letters.list(TaskFilter::new()).await.unwrap(), []);
        assert_eq!(bench.dispatcher.list(TaskFilter::new().run(run.id())).await.unwrap(), []);
        waiting.cancel().await.unwrap();
        worker.shutdown().await;
    }
}
