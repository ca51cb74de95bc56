//! Queues: how many run on a worker and on all of them, pause, drain, depth.

use evertask::prelude::*;
use evertask::store::{QueueRules, QueueState, TaskFilter, TaskState};
use evertask::{DispatchError, Dispatcher, Queue, workflow};

use crate::bench::{Bench, by_the_clock, hold, holding, named, note, secs, stage};

workflow! {
    /// One note after the other.
    InTurn<String> {
        note { on_ok(name) => again { name } }
        again = note { on_ok(_) => end }
    }
}

/// Dispatches into its own queue, as what follows it.
#[task(queue = "stage")]
async fn spread(number: u32, cx: &Context) -> Result<(), DispatchError> {
    stage(cx).begin("spread");
    for child in 0..number {
        cx.dispatch(named(format!("child {child}")))?;
    }
    Ok(())
}

/// Dispatches into its own queue at once, and would wait for room.
#[task(queue = "stage")]
async fn press(name: String, cx: &Context) -> Result<String, DispatchError> {
    stage(cx).begin(&name);
    let Some(dispatcher) = cx.data::<Dispatcher>() else { return Ok("nowhere".into()) };
    match dispatcher.dispatch(named("more").wait_for_room("1h")).await {
        Err(DispatchError::QueueFull { reason, .. }) => Ok(reason),
        other => Ok(format!("{other:?}")),
    }
}

/// The same in a blocking handler.
#[task(queue = "stage")]
fn press_blocking(name: String, cx: &Context) -> Result<String, DispatchError> {
    stage(cx).begin(&name);
    let Some(dispatcher) = cx.data::<Dispatcher>() else { return Ok("nowhere".into()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    match runtime.map(|runtime| runtime.block_on(dispatcher.dispatch(named("more").wait_for_room("1h")))) {
        Ok(Err(DispatchError::QueueFull { reason, .. })) => Ok(reason),
        other => Ok(format!("{other:?}")),
    }
}

/// How many of the queue's tasks run, are due, and come later.
async fn stands(bench: &Bench) -> (u64, u64, u64) {
    let queue = bench.dispatcher.queue("stage").await.unwrap().unwrap();
    (queue.running, queue.due, queue.later)
}

async fn hold_many(bench: &Bench, tasks: usize) -> Vec<evertask::Handle<hold>> {
    bench.dispatcher.dispatch_all((0..tasks).map(|number| holding(number.to_string()))).await.unwrap()
}

async fn wait_for_all(tasks: Vec<evertask::Handle<hold>>) {
    for task in tasks {
        task.wait().await.unwrap();
    }
}

by_the_clock! {
    async fn a_worker_runs_no_more_than_its_slots(bench) {
        let worker = bench.worker(Queue::new().concurrency(2)).await;
        let tasks = hold_many(&bench, 6).await;
        for done in [2, 3, 4, 5, 6] {
            bench.stage.starts(done).await;
            bench.quiet().await;
            assert_eq!(bench.stage.count(), done);
            bench.stage.let_go(1);
        }
        bench.stage.let_go(1);
        wait_for_all(tasks).await;
        worker.shutdown().await;
    }

    async fn all_workers_together_run_no_more_than_the_queue_allows(bench) {
        let four = Queue::new().concurrency(4).across_workers(3);
        let workers = [bench.worker(four.clone()).await, bench.worker(four).await];
        let tasks = hold_many(&bench, 8).await;
        for started in 3..=8 {
            bench.stage.starts(started).await;
            bench.quiet().await;
            assert_eq!(bench.stage.count(), started);
            assert_eq!(stands(&bench).await.0, 3);
            bench.stage.let_go(1);
        }
        bench.stage.let_go(2);
        wait_for_all(tasks).await;
        for worker in workers {
            worker.shutdown().await;
        }
    }

    async fn what_is_changed_at_run_time_holds_at_once(bench) {
        let worker = bench.worker(Queue::new().concurrency(9).across_workers(1)).await;
        let tasks = hold_many(&bench, 5).await;
        bench.stage.starts(1).await;
        bench.quiet().await;
        assert_eq!(stands(&bench).await, (1, 4, 0));
        let mut rules = QueueRules::default();
        rules.concurrency = Some(3);
        bench.dispatcher.limit_queue("stage", rules).await.unwrap();
        bench.stage.starts(3).await;
        bench.quiet().await;
        assert_eq!(stands(&bench).await, (3, 2, 0));
        bench.dispatcher.limit_queue("stage", QueueRules::default()).await.unwrap();
        bench.stage.starts(5).await;
        bench.stage.let_go(5);
        wait_for_all(tasks).await;
        worker.shutdown().await;
    }

    async fn rules_are_the_latest_workers_and_stay_without_one(bench) {
        bench.worker(Queue::new().across_workers(3).depth(7)).await.shutdown().await;
        let rules = bench.dispatcher.queue("stage").await.unwrap().unwrap().rules;
        assert_eq!((rules.concurrency, rules.depth), (Some(3), Some(7)));
        bench.worker(Queue::new().concurrency(2)).await.shutdown().await;
        assert_eq!(bench.dispatcher.queue("stage").await.unwrap().unwrap().rules, rules, "it said nothing for all");
        bench.worker(Queue::new().rate("5/s")).await.shutdown().await;
        let rules = bench.dispatcher.queue("stage").await.unwrap().unwrap().rules;
        assert_eq!((rules.concurrency, rules.depth, rules.rate.map(|rate| rate.tasks)), (None, None, Some(5)));
    }

    async fn nothing_of_a_paused_queue_starts_and_what_runs_goes_on(bench) {
        let worker = bench.worker(Queue::new().concurrency(2)).await;
        let tasks = hold_many(&bench, 2).await;
        bench.stage.starts(2).await;
        assert_eq!(bench.dispatcher.pause_queue("stage").await.unwrap().state, QueueState::Paused);
        let waiting = bench.dispatcher.dispatch(named("waits")).await.unwrap();
        bench.stage.let_go(2);
        wait_for_all(tasks).await;
        bench.quiet().await;
        assert_eq!((bench.stage.count(), stands(&bench).await), (2, (0, 1, 0)));
        assert_eq!(bench.dispatcher.resume_queue("stage").await.unwrap().state, QueueState::Open);
        assert_eq!(waiting.wait().await.unwrap(), "waits");
        worker.shutdown().await;
    }

    async fn a_pause_outlives_its_worker(bench) {
        bench.dispatcher.pause_queue("stage").await.unwrap();
        let waiting = bench.dispatcher.dispatch(named("waits")).await.unwrap();
        let worker = bench.worker(Queue::new()).await;
        bench.pulse().await;
        worker.shutdown().await;
        let worker = bench.worker(Queue::new()).await;
        bench.pulse().await;
        assert_eq!(bench.state(waiting.id()).await, TaskState::Ready);
        bench.dispatcher.resume_queue("stage").await.unwrap();
        waiting.wait().await.unwrap();
        worker.shutdown().await;
    }

    async fn a_drained_queue_takes_nothing_but_what_follows_and_runs_empty(bench) {
        let worker = bench.worker(Queue::new().concurrency(1)).await;
        let first = bench.dispatcher.dispatch(holding("first")).await.unwrap();
        let second = bench.dispatcher.dispatch(spread { number: 2 }).await.unwrap();
        bench.stage.starts(1).await;
        bench.dispatcher.drain_queue("stage").await.unwrap();
        let refused = bench.dispatcher.dispatch(named("too late")).await.unwrap_err();
        assert_eq!(refused.to_string(), "the queue `stage` takes no more: it is being drained");
        let refused = bench.dispatcher.dispatch(named("too late").after("1h")).await;
        assert!(matches!(refused, Err(DispatchError::QueueFull { .. })), "{refused:?}");
        bench.dispatcher.dispatch(named("elsewhere").queue("default")).await.unwrap().wait().await.unwrap();
        bench.stage.let_go(1);
        first.wait().await.unwrap();
        second.wait().await.unwrap();
        bench.play().await;
        assert_eq!(bench.stage.names(0).await, ["first", "elsewhere", "spread", "child 0", "child 1"]);
        assert_eq!(stands(&bench).await, (0, 0, 0));
        bench.dispatcher.resume_queue("stage").await.unwrap();
        bench.dispatcher.dispatch(named("in time")).await.unwrap().wait().await.unwrap();
        worker.shutdown().await;
    }

    async fn a_full_queue_says_so(bench) {
        let worker = bench.worker(Queue::new().concurrency(1).depth(2)).await;
        let running = bench.dispatcher.dispatch(holding("runs")).await.unwrap();
        bench.stage.starts(1).await;
        bench.dispatcher.dispatch_all([named("a"), named("b")]).await.unwrap();
        let refused = bench.dispatcher.dispatch(named("c")).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the queue `stage` takes no more: 2 of 2 tasks wait in it, and these are 1 more"
        );
        // Nothing of a dispatch is added if not all of it can be.
        let refused = bench.dispatcher.dispatch_all([named("d").queue("default"), named("e").queue("stage")]).await;
        assert!(matches!(refused, Err(DispatchError::QueueFull { ref queue, .. }) if queue == "stage"), "{refused:?}");
        // A workflow needs room for its first step.
        let refused = bench.dispatcher.dispatch(InTurn("w".into())).await;
        assert!(matches!(refused, Err(DispatchError::QueueFull { .. })), "{refused:?}");
        // What is due later needs no room.
        bench.dispatcher.dispatch(named("f").after("1h")).await.unwrap();
        bench.stage.let_go(1);
        running.wait().await.unwrap();
        bench.quiet().await;
        bench.dispatcher.dispatch(named("g")).await.unwrap();
        bench.quiet().await;
        bench.dispatcher.dispatch(InTurn("w".into())).await.unwrap();
        bench.play().await;
        assert_eq!(bench.stage.names(0).await, ["runs", "a", "b", "g", "w", "w", "f"]);
        worker.shutdown().await;
    }

    async fn a_dispatch_waits_for_room_as_long_as_it_says(bench) {
        let worker = bench.worker(Queue::new().concurrency(1).depth(1)).await;
        let tasks = hold_many(&bench, 1).await;
        bench.stage.starts(1).await;
        bench.dispatcher.dispatch(named("a")).await.unwrap();
        let refused = bench.dispatcher.dispatch(named("b").wait_for_room("30ms")).await;
        assert!(matches!(refused, Err(DispatchError::QueueFull { .. })), "{refused:?}");
        let patient = tokio::spawn({
            let dispatcher = bench.dispatcher.clone();
            async move { dispatcher.dispatch(named("c").wait_for_room("1h")).await.unwrap() }
        });
        bench.pulse().await;
        assert!(!patient.is_finished());
        bench.stage.let_go(1);
        let patient = patient.await.unwrap();
        assert_eq!(patient.wait().await.unwrap(), "c");
        wait_for_all(tasks).await;
        worker.shutdown().await;
    }

    async fn a_handler_that_dispatches_into_its_own_full_queue_goes_on(bench) {
        let worker = bench.worker(Queue::new().concurrency(1).depth(1)).await;
        let parent = bench.dispatcher.dispatch(spread { number: 20 }).await.unwrap();
        parent.wait().await.unwrap();
        bench.play().await;
        assert_eq!(bench.stage.count(), 21, "what follows needs no room");
        worker.shutdown().await;
    }

    async fn a_handler_never_waits_for_room(bench) {
        let worker = bench.worker(Queue::new().concurrency(1).depth(1)).await;
        bench.dispatcher.pause_queue("stage").await.unwrap();
        let filled = |task| bench.dispatcher.dispatch(task);
        let insists = filled(press { name: "it".into() }).await.unwrap();
        bench.dispatcher.resume_queue("stage").await.unwrap();
        assert!(insists.wait().await.unwrap().contains("Handle"), "there is room yet");
        bench.play().await;
        // Its queue is full of what waits for it.
        let mut rules = QueueRules::default();
        rules.depth = Some(0);
        bench.dispatcher.limit_queue("stage", QueueRules::default()).await.unwrap();
        bench.dispatcher.pause_queue("stage").await.unwrap();
        let insists = bench.dispatcher.dispatch(press { name: "it".into() }).await.unwrap();
        let blocking = bench.dispatcher.dispatch(press_blocking { name: "it".into() }).await.unwrap();
        bench.dispatcher.limit_queue("stage", rules).await.unwrap();
        bench.dispatcher.resume_queue("stage").await.unwrap();
        assert!(insists.wait().await.unwrap().contains("of 0 tasks wait in it"));
        assert!(blocking.wait().await.unwrap().contains("of 0 tasks wait in it"));
        worker.shutdown().await;
    }

    async fn what_fits_is_not_refused_when_many_dispatch_at_once(bench) {
        let mut rules = QueueRules::default();
        rules.depth = Some(50);
        bench.dispatcher.limit_queue("stage", rules).await.unwrap();
        let all: Vec<_> = (0..200)
            .map(|number| {
                let dispatcher = bench.dispatcher.clone();
                tokio::spawn(async move { dispatcher.dispatch(named(number.to_string())).await })
            })
            .collect();
        let mut taken = 0;
        for one in all {
            match one.await.unwrap() {
                Ok(_) => taken += 1,
                Err(DispatchError::QueueFull { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(taken, 50);
        assert_eq!(stands(&bench).await, (0, 50, 0));
    }

    async fn queues_are_listed_as_they_stand(bench) {
        let worker = bench.settings().queue("stage", Queue::new().concurrency(1)).start().await.unwrap();
        let tasks = hold_many(&bench, 3).await;
        bench.stage.starts(1).await;
        bench.dispatcher.dispatch(named("later").after("1h")).await.unwrap();
        bench.dispatcher.pause_queue("empty").await.unwrap();
        let queues = bench.dispatcher.queues().await.unwrap();
        let seen: Vec<_> = queues.iter().map(|queue| (queue.name.as_str(), queue.state)).collect();
        assert_eq!(seen, [("empty", QueueState::Paused), ("stage", QueueState::Open)]);
        assert_eq!(stands(&bench).await, (1, 2, 1));
        assert_eq!(bench.dispatcher.queue("nowhere").await.unwrap(), None);
        let ready = TaskFilter::new().queue("stage").state(TaskState::Ready);
        assert_eq!(bench.dispatcher.list(ready).await.unwrap().len(), 3);
        bench.stage.let_go(3);
        wait_for_all(tasks).await;
        bench.clock.advance(secs(3_600));
        bench.play().await;
        worker.shutdown().await;
    }
}
