//! How long work is kept after its end: by age and by number for each state, runs whole, and by workers themselves.

use evertask::prelude::*;
use evertask::store::{RunFilter, RunState, TaskFilter, TaskState};
use evertask::{Queue, Retention, TaskId, workflow};

use crate::bench::{Bench, breaking, by_the_clock, fragile, holding, named, note, secs, stage};

const DAY: u64 = 24 * 3_600;

workflow! {
    /// Two steps, of which the second may fail.
    Pair<String> {
        note { on_ok(name) => fragile { name } }
        fragile { on_ok(_) => end }
    }
}

/// Logs a line.
#[task(queue = "stage")]
async fn scribble(name: String, cx: &Context) -> Result<(), String> {
    stage(cx).begin(&name);
    cx.log(name);
    Ok(())
}

async fn done(bench: &Bench, name: &str) -> TaskId {
    let task = bench.dispatcher.dispatch(named(name)).await.unwrap();
    task.wait().await.unwrap();
    task.id()
}

async fn failed(bench: &Bench, name: &str) -> TaskId {
    bench.stage.break_down(true);
    let task = bench.dispatcher.dispatch(breaking(name)).await.unwrap();
    task.wait().await.unwrap_err();
    bench.stage.break_down(false);
    task.id()
}

async fn cancelled(bench: &Bench, name: &str) -> TaskId {
    let task = bench.dispatcher.dispatch(named(name).after("1h")).await.unwrap();
    task.cancel().await.unwrap();
    task.id()
}

/// How many tasks of the stage are kept in these states.
async fn kept(bench: &Bench) -> [usize; 3] {
    let mut kept = [0; 3];
    for (count, state) in kept.iter_mut().zip([TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled]) {
        let filter = TaskFilter::new().queue("stage").state(state).limit(100_000);
        *count = bench.dispatcher.list(filter).await.unwrap().len();
    }
    kept
}

by_the_clock! {
    async fn each_state_has_its_own_time(bench) {
        let worker = bench.worker(Queue::new()).await;
        for name in ["a", "b"] {
            done(&bench, name).await;
            failed(&bench, name).await;
            cancelled(&bench, name).await;
            bench.clock.advance(secs(4 * DAY));
        }
        // The first are eight days old, the second four.
        let live = bench.dispatcher.dispatch(holding("runs")).await.unwrap();
        let retention = Retention::new().succeeded("7d").failed("30d").cancelled("1d");
        assert_eq!(kept(&bench).await, [2, 2, 2]);
        assert_eq!(bench.dispatcher.prune(&Retention::new()).await.unwrap(), 0);
        assert_eq!(bench.dispatcher.prune(&retention).await.unwrap(), 3);
        assert_eq!(kept(&bench).await, [1, 2, 0]);
        bench.clock.advance(secs(40 * DAY));
        bench.dispatcher.prune(&retention).await.unwrap();
        assert_eq!(kept(&bench).await, [0, 0, 0]);
        bench.stage.let_go(1);
        assert_eq!(live.wait().await.unwrap(), "runs", "what has not ended never goes");
        worker.shutdown().await;
    }

    async fn the_newest_stay(bench) {
        let worker = bench.worker(Queue::new()).await;
        let mut tasks = Vec::new();
        for number in 0..5 {
            tasks.push(done(&bench, &number.to_string()).await);
            failed(&bench, &number.to_string()).await;
            bench.clock.advance(secs(1));
        }
        let retention = Retention::new().keep_at_most(2);
        bench.dispatcher.prune(&retention).await.unwrap();
        assert_eq!(kept(&bench).await, [2, 2, 0], "two of each state");
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(bench.dispatcher.get(task).await.unwrap().is_some(), number >= 3, "{number}");
        }
        worker.shutdown().await;
    }

    async fn a_run_goes_whole(bench) {
        let worker = bench.worker(Queue::new()).await;
        let well = bench.dispatcher.dispatch(Pair("well".into())).await.unwrap();
        well.wait().await.unwrap();
        bench.stage.break_down(true);
        let broken = bench.dispatcher.dispatch(Pair("broken".into())).await.unwrap();
        broken.wait().await.unwrap_err();
        bench.clock.advance(secs(8 * DAY));
        assert_eq!(bench.dispatcher.prune(&Retention::new().succeeded("7d")).await.unwrap(), 1);
        assert_eq!(bench.dispatcher.list(TaskFilter::new().run(well.id())).await.unwrap(), []);
        assert_eq!(
            bench.dispatcher.list(TaskFilter::new().run(broken.id())).await.unwrap().len(),
            2,
            "its first step succeeded, and stays with its run"
        );
        let runs = bench.dispatcher.list_runs(RunFilter::new()).await.unwrap();
        assert_eq!(runs.iter().map(|run| run.state).collect::<Vec<_>>(), [RunState::Failed]);
        assert_eq!(bench.dispatcher.prune(&Retention::new().failed("7d")).await.unwrap(), 1);
        assert_eq!(bench.dispatcher.list_runs(RunFilter::new()).await.unwrap(), []);
        assert_eq!(kept(&bench).await, [0, 0, 0]);
        worker.shutdown().await;
    }

    async fn lines_go_before_their_task(bench) {
        let worker = bench.worker(Queue::new()).await;
        let task = bench.dispatcher.dispatch(scribble { name: "a line".into() }).await.unwrap();
        task.wait().await.unwrap();
        let retention = Retention::new().logs("3d").succeeded("7d");
        bench.clock.advance(secs(3 * DAY));
        bench.dispatcher.prune(&retention).await.unwrap();
        assert_eq!(bench.dispatcher.log(task.id()).await.unwrap().len(), 1, "it is three days old, and no more");
        bench.clock.advance(secs(1));
        bench.dispatcher.prune(&retention).await.unwrap();
        assert_eq!(bench.dispatcher.log(task.id()).await.unwrap(), []);
        assert_eq!(bench.state(task.id()).await, TaskState::Succeeded);
        worker.shutdown().await;
    }

    async fn a_key_goes_with_its_work(bench) {
        let worker = bench.worker(Queue::new()).await;
        let first = bench.dispatcher.dispatch(named("first").key("k")).await.unwrap();
        first.wait().await.unwrap();
        bench.clock.advance(secs(DAY + 1));
        bench.dispatcher.prune(&Retention::new().succeeded("1d")).await.unwrap();
        let second = bench.dispatcher.dispatch(named("second").key("k")).await.unwrap();
        assert_eq!((second.is_existing(), second.wait().await.unwrap().as_str()), (false, "second"));
        worker.shutdown().await;
    }

    async fn more_than_a_batch_goes(bench) {
        let worker = bench.worker(Queue::new().concurrency(500)).await;
        bench.dispatcher.dispatch_all((0..450).map(|number| named(number.to_string()))).await.unwrap();
        bench.play().await;
        worker.shutdown().await;
        bench.clock.advance(secs(DAY));
        let all = bench.dispatcher.list(TaskFilter::new().limit(100_000)).await.unwrap().len();
        let gone = bench.dispatcher.prune(&Retention::new().succeeded("1h")).await.unwrap();
        assert_eq!(gone, all as u64);
        assert_eq!(kept(&bench).await, [0, 0, 0]);
    }

    async fn a_worker_removes_by_itself(bench) {
        let retention = Retention::new().succeeded("7d").failed("30d");
        let worker = bench.settings().retention(retention).start().await.unwrap();
        let (well, broken) = (done(&bench, "well").await, failed(&bench, "broken").await);
        bench.clock.advance(secs(6 * DAY));
        bench.pulse().await;
        assert!(bench.dispatcher.get(well).await.unwrap().is_some());
        bench.clock.advance(secs(2 * DAY));
        while bench.dispatcher.get(well).await.unwrap().is_some() {
            bench.pulse().await;
        }
        assert!(bench.dispatcher.get(broken).await.unwrap().is_some(), "a dead letter is kept for longer");
        worker.shutdown().await;
    }

    async fn without_a_word_all_is_kept(bench) {
        let worker = bench.worker(Queue::new()).await;
        let task = done(&bench, "it").await;
        bench.clock.advance(secs(10_000 * DAY));
        bench.pulse().await;
        assert_eq!(bench.state(task).await, TaskState::Succeeded);
        worker.shutdown().await;
    }
}
