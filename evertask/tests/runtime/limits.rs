//! Limits that tasks share: a burst at each of them, how fast it goes by the clock, and what it leaves to others.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use evertask::prelude::*;
use evertask::store::{Rate, TaskState, Wait};
use evertask::{Queue, workflow};

use crate::bench::{Bench, by_the_clock, named, note, secs, stage};

/// Each tenant has a budget.
#[task(queue = "stage", rate_limit("100/s", key = tenant, burst = 10))]
async fn call(tenant: String, cx: &Context) -> Result<(), Infallible> {
    stage(cx).begin(&tenant);
    Ok(())
}

/// All share one.
#[task(queue = "stage", rate_limit("20/s"))]
async fn post(name: String, cx: &Context) -> Result<(), String> {
    stage(cx).begin(&name);
    Ok(())
}

/// One at a time for each account.
#[task(queue = "stage", concurrency(1, key = account))]
async fn post_entry(account: String, cx: &Context) -> Result<(), Infallible> {
    stage(cx).begin(&account);
    stage(cx).held().await;
    Ok(())
}

/// Three at a time.
#[task(queue = "stage", concurrency(3))]
async fn print(name: String, cx: &Context) -> Result<(), Infallible> {
    stage(cx).begin(&name);
    stage(cx).held().await;
    Ok(())
}

/// Both limits, and it fails once.
#[task(queue = "stage", rate_limit("1/s"), concurrency(1), retry(times = 1, backoff = fixed("1ms")))]
async fn both(name: String, cx: &Context) -> Result<(), String> {
    stage(cx).begin(&name);
    if cx.attempt() == 1 { Err("once more".into()) } else { Ok(()) }
}

workflow! {
    /// A limit holds for each item, and for what follows an edge.
    Calls<Vec<String>> {
        list { on_ok(tenants) => each call(tenants) }
        call { on_ok => end }
    }
}

#[task(queue = "stage")]
async fn list(tenants: Vec<String>) -> Result<Vec<String>, Infallible> {
    Ok(tenants)
}

workflow! {
    /// What follows an edge has its limit too.
    NotesAndPosts<String> {
        note { on_ok(name) => post { name } }
        post { on_ok => end }
    }
}

workflow! {
    /// A limit of a name holds for what follows a join, and one of a key for what follows that.
    Joined<String> {
        fork = note { on_ok(name) => [left { name: name.clone() }, right { name }] }
        left = note {}
        right = note {}
        join (left, right) => pair;
        pair { on_ok(name) => post_entry { account: name } }
        post_entry { on_ok => end }
    }
}

#[task(queue = "stage", rate_limit("1/s"))]
async fn pair(both: (String, String), cx: &Context) -> Result<String, Infallible> {
    stage(cx).begin("pair");
    Ok(both.0)
}

/// Lets time pass in small steps, and gives the starts of this name: milliseconds from now, and none before its time.
async fn watched(bench: &Bench, name: &str, tasks: usize, rate: Rate, step: Duration) -> Vec<u64> {
    let begun = bench.now();
    let per = u64::try_from(rate.per.as_millis()).unwrap();
    loop {
        bench.pulse().await;
        bench.quiet().await;
        let starts = bench.stage.starts(0).await;
        let times: Vec<_> = starts
            .iter()
            .filter(|start| start.name == name)
            .map(|start| u64::try_from(begun.until(start.at).as_millis()).unwrap())
            .collect();
        let passed = u64::try_from(begun.until(bench.now()).as_millis()).unwrap();
        let allowed = u64::from(rate.burst) + passed * u64::from(rate.tasks) / per;
        assert!(times.len() as u64 <= allowed, "{} of {allowed} after {passed} ms", times.len());
        if times.len() == tasks {
            return times;
        }
        assert!(passed < 60_000, "{} of {tasks} after a minute", times.len());
        bench.clock.advance(step);
    }
}

/// How fast they started, after the burst.
fn measure(what: &str, times: &[u64], rate: Rate) {
    let first = times.iter().filter(|time| **time == times[0]).count();
    let last = Duration::from_millis(times[times.len() - 1] - times[0]);
    let after = u32::try_from(times.len() - first).unwrap();
    let per_second = f64::from(after) / last.as_secs_f64();
    println!("{what}: {first} at once, then {after} in {last:?} by the clock: {per_second:.1}/s");
    assert_eq!(first, usize::try_from(rate.burst).unwrap());
    let wanted = f64::from(rate.tasks) / rate.per.as_secs_f64();
    assert!((per_second - wanted).abs() <= wanted * 0.02, "{per_second} of {wanted}");
}

fn a_second(tasks: u32, burst: u32) -> Rate {
    Rate { tasks, per: secs(1), burst }
}

by_the_clock! {
    async fn a_burst_at_the_rate_of_a_queue(bench) {
        let rate = a_second(100, 10);
        let worker = bench.worker(Queue::new().concurrency(1_000).rate(rate)).await;
        bench.dispatcher.dispatch_all((0..110).map(|_| named("it"))).await.unwrap();
        let times = watched(&bench, "it", 110, rate, Duration::from_millis(10)).await;
        measure("a queue at 100/s, burst 10", &times, rate);
        worker.shutdown().await;
    }

    async fn a_burst_at_the_rate_of_each_key(bench) {
        let rate = a_second(100, 10);
        let worker = bench.worker(Queue::new().concurrency(1_000)).await;
        let calls = (0..120).flat_map(|_| ["acme", "zeta"]).map(|tenant| call { tenant: tenant.into() });
        bench.dispatcher.dispatch_all(calls).await.unwrap();
        let times = watched(&bench, "acme", 120, rate, Duration::from_millis(10)).await;
        measure("a key at 100/s, burst 10, beside another", &times, rate);
        let others = watched(&bench, "zeta", 120, a_second(100, 200), Duration::from_millis(10)).await;
        assert_eq!(others.len(), 120, "the other key's budget is its own");
        worker.shutdown().await;
    }

    async fn a_burst_at_the_rate_of_a_task(bench) {
        let rate = a_second(20, 1);
        let worker = bench.worker(Queue::new().concurrency(1_000)).await;
        bench.dispatcher.dispatch_all((0..61).map(|_| post { name: "it".into() })).await.unwrap();
        let times = watched(&bench, "it", 61, rate, Duration::from_millis(50)).await;
        measure("a task at 20/s", &times, rate);
        worker.shutdown().await;
    }

    async fn what_is_over_budget_is_put_back_with_its_time_and_holds_no_slot(bench) {
        let worker = bench.worker(Queue::new().concurrency(1)).await;
        let begun = bench.now();
        let posts = bench.dispatcher.dispatch_all((0..4).map(|_| post { name: "it".into() })).await.unwrap();
        let other = bench.dispatcher.dispatch(named("other")).await.unwrap();
        other.wait().await.unwrap();
        bench.quiet().await;
        let mut due = Vec::new();
        for post in &posts[1..] {
            let record = bench.record(post.id()).await;
            assert_eq!((record.state, record.failures, record.interrupts), (TaskState::Ready, 0, 0));
            due.push(begun.until(record.run_at).as_millis());
        }
        assert_eq!(due, [50, 100, 150], "each has a time of its own");
        let queue = bench.dispatcher.queue("stage").await.unwrap().unwrap();
        assert_eq!((queue.running, queue.due, queue.later), (0, 0, 3));
        bench.play().await;
        assert_eq!(bench.times("it").await, [0, 50, 100, 150]);
        worker.shutdown().await;
    }

    async fn one_at_a_time_for_each_key(bench) {
        let worker = bench.worker(Queue::new().concurrency(32)).await;
        let accounts = ["a", "b", "c", "d"];
        let entries = (0..100).map(|number| post_entry { account: accounts[number % 4].into() });
        bench.dispatcher.dispatch_all(entries).await.unwrap();
        let mut most: BTreeMap<String, usize> = BTreeMap::new();
        let mut ended = 0;
        while ended < 100 {
            bench.stage.starts((ended + 4).min(100)).await;
            bench.pulse().await;
            let mut now: BTreeMap<String, usize> = BTreeMap::new();
            for task in bench.live().await.into_iter().filter(|task| task.state == TaskState::Running) {
                *now.entry(String::from_utf8(task.payload).unwrap()).or_default() += 1;
            }
            for (account, running) in now {
                let seen = most.entry(account).or_default();
                *seen = running.max(*seen);
            }
            bench.stage.let_go(1);
            ended += 1;
        }
        bench.play().await;
        println!("100 tasks of 4 keys, 32 slots: at most {most:?} at once");
        assert_eq!(most.into_values().collect::<Vec<_>>(), [1; 4]);
        assert_eq!(bench.stage.count(), 100);
        worker.shutdown().await;
    }

    async fn what_waits_for_its_key_holds_no_slot(bench) {
        let worker = bench.worker(Queue::new().concurrency(2)).await;
        let mut entries = bench.dispatcher.dispatch_all((0..5).map(|_| post_entry { account: "a".into() })).await.unwrap();
        bench.stage.starts(1).await;
        for other in ["x", "y", "z"] {
            bench.dispatcher.dispatch(named(other)).await.unwrap().wait().await.unwrap();
        }
        assert_eq!(bench.stage.names(4).await, ["a", "x", "y", "z"]);
        let waiting = bench.record(entries[4].id()).await;
        assert_eq!((waiting.state, waiting.wait), (TaskState::Waiting, Some(Wait::Slot)));
        // A cancelled one leaves the line, and the others go on one after the other.
        entries.remove(2).cancel().await.unwrap();
        bench.stage.let_go(4);
        for post_entry in entries {
            post_entry.wait().await.unwrap();
        }
        assert_eq!(bench.stage.count(), 7);
        worker.shutdown().await;
    }

    async fn so_many_of_a_task_at_a_time(bench) {
        let worker = bench.worker(Queue::new().concurrency(32)).await;
        bench.dispatcher.dispatch_all((0..20).map(|_| print { name: "it".into() })).await.unwrap();
        for started in 3..=20 {
            bench.stage.starts(started).await;
            bench.pulse().await;
            assert_eq!(bench.stage.count(), started);
            bench.stage.let_go(1);
        }
        bench.stage.let_go(2);
        bench.play().await;
        println!("20 tasks, `concurrency(3)`, 32 slots: never more than 3 at once");
        worker.shutdown().await;
    }

    async fn both_limits_hold_for_each_attempt(bench) {
        let worker = bench.worker(Queue::new()).await;
        let tasks = ["one", "two", "three"].map(|name| both { name: name.into() });
        bench.dispatcher.dispatch_all(tasks).await.unwrap();
        bench.play().await;
        let mut times: Vec<_> = bench.stage.starts(6).await.into_iter().map(|start| start.at.as_millis()).collect();
        times.sort_unstable();
        let apart: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(apart.len(), 5, "an attempt that is tried again takes from the budget too");
        assert!(apart.iter().all(|apart| *apart >= 1_000), "{apart:?}");
        worker.shutdown().await;
    }

    async fn they_hold_for_each_item_of_a_step(bench) {
        let worker = bench.worker(Queue::new().concurrency(100)).await;
        let tenants = (0..60).map(|number| if number % 2 == 0 { "acme" } else { "zeta" }.to_owned()).collect();
        let run = bench.dispatcher.dispatch(Calls(tenants)).await.unwrap();
        bench.play().await;
        run.wait().await.unwrap();
        for tenant in ["acme", "zeta"] {
            let times = bench.times(tenant).await;
            assert_eq!((times.len(), times.iter().filter(|time| **time == 0).count()), (30, 10));
            assert_eq!(times[29], 200, "20 more at 100/s");
        }
        worker.shutdown().await;
    }

    async fn they_hold_for_what_follows_an_edge(bench) {
        let worker = bench.worker(Queue::new().concurrency(100)).await;
        let runs = (0..5).map(|_| NotesAndPosts("it".into()));
        bench.dispatcher.dispatch_all(runs).await.unwrap();
        bench.play().await;
        assert_eq!(bench.times("it").await, [0, 0, 0, 0, 0, 0, 50, 100, 150, 200], "five notes, then five posts");
        worker.shutdown().await;
    }

    async fn they_hold_after_a_join(bench) {
        let worker = bench.worker(Queue::new().concurrency(100)).await;
        bench.dispatcher.dispatch_all((0..3).map(|_| Joined("it".into()))).await.unwrap();
        for _ in 0..2 {
            bench.quiet().await;
            bench.clock.advance(secs(1));
        }
        bench.quiet().await;
        assert_eq!(bench.times("pair").await, [0, 1_000, 2_000]);
        let entries = bench.live().await.into_iter().filter(|task| task.name == "post_entry");
        let mut states: Vec<_> = entries.map(|task| task.state).collect();
        states.sort();
        assert_eq!(states, [TaskState::Waiting, TaskState::Waiting, TaskState::Running]);
        bench.stage.let_go(3);
        bench.play().await;
        worker.shutdown().await;
    }

    async fn two_workers_share_them(bench) {
        let workers = [bench.worker(Queue::new()).await, bench.worker(Queue::new()).await];
        bench.dispatcher.dispatch_all((0..6).map(|_| post { name: "it".into() })).await.unwrap();
        bench.play().await;
        assert_eq!(bench.times("it").await, [0, 50, 100, 150, 200, 250]);
        bench.dispatcher.dispatch_all((0..6).map(|_| print { name: "p".into() })).await.unwrap();
        for started in 9..=12 {
            bench.stage.starts(started).await;
            bench.pulse().await;
            assert_eq!(bench.stage.count(), started);
            bench.stage.let_go(1);
        }
        bench.stage.let_go(2);
        bench.play().await;
        for worker in workers {
            worker.shutdown().await;
        }
    }
}
