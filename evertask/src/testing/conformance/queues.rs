//! Queues: listed, held, drained, and what limits them.

use std::sync::Arc;

use crate::DEFAULT_QUEUE;
use crate::store::{Follow, NewTask, NewWork, OnKey, QueueChange, QueueRules, QueueState, Settled, TaskState};

use super::bench::{Bench, everything, flow, ok, on_threads, retry, secs, send, succeeded, task, then, works};
use super::terms::{is_full, keyed, queued};
use super::worker::TestWorker;

fn at_most(concurrency: u32) -> QueueRules {
    QueueRules { concurrency: Some(concurrency), ..QueueRules::default() }
}

fn deep(depth: u32) -> QueueRules {
    QueueRules { depth: Some(depth), ..QueueRules::default() }
}

pub(super) async fn it_is_listed_once_it_was_changed(bench: Bench) {
    assert_eq!(bench.store.queues().await, Ok(Vec::new()));
    let changed = bench.store.change_queue("mail".to_owned(), QueueChange::default()).await.unwrap();
    assert_eq!(
        (changed.name.as_str(), changed.state, changed.rules),
        ("mail", QueueState::Open, QueueRules::default())
    );
    assert_eq!((changed.due, changed.later, changed.running), (0, 0, 0));
    bench.set_state("album", QueueState::Paused).await;
    let names: Vec<_> = bench.store.queues().await.unwrap().into_iter().map(|queue| queue.name).collect();
    assert_eq!(names, ["album", "mail"]);
}

pub(super) async fn a_worker_declares_its_rules(bench: Bench) {
    for most in [3, 5] {
        let queues = vec![("mail".to_owned(), at_most(most)), ("other".to_owned(), deep(most))];
        TestWorker::declare(Arc::clone(&bench.store), "here", everything(), queues).await;
        assert_eq!(bench.queue("mail").await.rules, at_most(most), "the latest count");
        assert_eq!(bench.queue("other").await.rules, deep(most));
    }
}

pub(super) async fn its_state_outlives_what_a_worker_declares(bench: Bench) {
    bench.set_state("mail", QueueState::Paused).await;
    TestWorker::declare(Arc::clone(&bench.store), "here", everything(), vec![("mail".to_owned(), at_most(3))]).await;
    let queue = bench.queue("mail").await;
    assert_eq!((queue.state, queue.rules), (QueueState::Paused, at_most(3)));
}

pub(super) async fn a_change_leaves_the_rest(bench: Bench) {
    let rules = QueueRules { ageing: Some(secs(7)), ..at_most(2) };
    bench.set_rules("mail", rules).await;
    assert_eq!(bench.set_state("mail", QueueState::Draining).await.rules, rules);
    assert_eq!(bench.set_rules("mail", deep(9)).await.state, QueueState::Draining);
    assert_eq!(bench.queue("mail").await.rules, deep(9), "all rules at once");
}

pub(super) async fn its_tasks_are_counted(bench: Bench) {
    for delay in [0, 0, 0, 5, 9] {
        bench.add(queued("mail", NewTask { delay: secs(delay), ..send() })).await;
    }
    let mut worker = bench.worker().await;
    worker.free_in("mail", 1);
    let claim = worker.next().await.claim;
    let counted = |queue: crate::store::QueueRecord| (queue.due, queue.later, queue.running);
    assert_eq!(counted(bench.queue("mail").await), (2, 2, 1));
    bench.clock.advance(secs(5));
    assert_eq!(counted(bench.queue("mail").await), (3, 1, 1));
    worker.finish(claim, retry(secs(1))).await;
    assert_eq!(counted(bench.queue("mail").await), (3, 2, 0));
    let ids: Vec<_> = bench.all_tasks().await.into_iter().map(|task| task.id).collect();
    for id in ids {
        bench.cancel(id).await;
    }
    assert_eq!(bench.store.queues().await, Ok(Vec::new()), "nobody named it, and nothing of it is live");
}

pub(super) async fn nothing_of_a_paused_one_is_claimed(bench: Bench) {
    bench.set_state(DEFAULT_QUEUE, QueueState::Paused).await;
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.free(2);
    worker.quiet().await;
    let later = bench.add(NewTask { delay: secs(5), ..send() }).await;
    bench.clock.advance(secs(5));
    worker.quiet().await;
    bench.set_state(DEFAULT_QUEUE, QueueState::Open).await;
    assert_eq!(super::claim::ids(&worker.take(2).await), [id, later], "demand that waited is served at once");
}

pub(super) async fn what_runs_in_a_paused_one_ends_and_what_follows_waits(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    bench.set_state(DEFAULT_QUEUE, QueueState::Paused).await;
    let next = task("ship");
    let id = next.id;
    assert_eq!(worker.finish_and_free(claim, succeeded(then([next]))).await, Settled::Committed);
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Ready);
    bench.set_state(DEFAULT_QUEUE, QueueState::Open).await;
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn others_go_on_beside_a_paused_one(bench: Bench) {
    bench.set_state("mail", QueueState::Paused).await;
    bench.add(queued("mail", send())).await;
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.free_in("mail", 1);
    assert_eq!(worker.claim().await.claim.id, id);
    worker.quiet().await;
}

pub(super) async fn a_paused_one_takes_work(bench: Bench) {
    bench.set_state("mail", QueueState::Paused).await;
    bench.add(queued("mail", send())).await;
    assert_eq!(bench.queue("mail").await.due, 1);
}

pub(super) async fn a_drained_one_refuses_a_dispatch(bench: Bench) {
    bench.set_state("mail", QueueState::Draining).await;
    for delay in [0, 60] {
        let tasks = vec![send(), queued("mail", NewTask { delay: secs(delay), ..send() })];
        let answer = bench.offer(tasks).await;
        assert!(is_full(&answer, "mail"), "{answer:?}");
        assert!(answer.unwrap_err().to_string().contains("drained"));
    }
    let mut run = flow();
    run.first.queue = "mail".into();
    assert!(is_full(&bench.store.dispatch(vec![NewWork::Run(Box::new(run))]).await, "mail"));
    assert_eq!(bench.all_tasks().await, Vec::new(), "nothing of a dispatch is added");
    bench.set_state("mail", QueueState::Open).await;
    bench.add(queued("mail", send())).await;
}

pub(super) async fn a_drained_one_takes_what_follows_and_is_emptied(bench: Bench) {
    bench.add(send()).await;
    bench.set_state(DEFAULT_QUEUE, QueueState::Draining).await;
    let mut worker = bench.worker().await;
    let mut claim = worker.claim().await.claim;
    for _ in 0..3 {
        worker.finish_and_free(claim, succeeded(then([task("ship")]))).await;
        claim = worker.next().await.claim;
    }
    worker.finish_and_free(claim, retry(secs(0))).await;
    let claim = worker.next().await.claim;
    worker.finish(claim, ok()).await;
    let queue = bench.queue(DEFAULT_QUEUE).await;
    assert_eq!((queue.due, queue.later, queue.running), (0, 0, 0));
}

pub(super) async fn a_drained_one_gives_back_work_whose_key_is_taken(bench: Bench) {
    let id = bench.add(keyed("k", OnKey::Return, send())).await;
    bench.set_state(DEFAULT_QUEUE, QueueState::Draining).await;
    let answer = bench.offer(vec![keyed("k", OnKey::Return, send())]).await.unwrap();
    assert_eq!((answer[0].id, answer[0].existing), (id.into(), true));
}

pub(super) async fn no_more_wait_than_its_depth(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, deep(3)).await;
    assert!(is_full(&bench.offer(vec![send(), send(), send(), send()]).await, DEFAULT_QUEUE));
    assert_eq!(bench.all_tasks().await.len(), 0, "all or nothing");
    bench.offer(vec![send(), send(), send()]).await.unwrap();
    let answer = bench.offer(vec![queued("other", send()), send()]).await;
    assert!(is_full(&answer, DEFAULT_QUEUE));
    assert_eq!(bench.all_tasks().await.len(), 3);
    let mut worker = bench.worker().await;
    worker.claim().await;
    bench.add(send()).await;
    assert!(is_full(&bench.offer(vec![send()]).await, DEFAULT_QUEUE), "one runs, and three wait");
}

pub(super) async fn its_depth_counts_only_what_is_due(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, deep(1)).await;
    for _ in 0..3 {
        bench.add(NewTask { delay: secs(5), ..send() }).await;
    }
    bench.add(send()).await;
    bench.add(NewTask { delay: secs(9), ..send() }).await;
    bench.clock.advance(secs(5));
    assert_eq!(bench.queue(DEFAULT_QUEUE).await.due, 4, "what became due is not taken back");
    assert!(is_full(&bench.offer(vec![send()]).await, DEFAULT_QUEUE));
    bench.add(NewTask { delay: secs(1), ..send() }).await;
}

pub(super) async fn its_depth_does_not_keep_out_what_follows(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, deep(1)).await;
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    bench.add(send()).await;
    worker.finish(claim, succeeded(then([task("ship"), task("ship"), task("ship")]))).await;
    assert_eq!(bench.queue(DEFAULT_QUEUE).await.due, 4);
    let claim = worker.claim().await.claim;
    worker.finish(claim, retry(secs(0))).await;
    assert_eq!(bench.queue(DEFAULT_QUEUE).await.due, 4);
}

pub(super) async fn its_depth_does_not_count_a_key_that_is_taken(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, deep(1)).await;
    for policy in [OnKey::Return, OnKey::Replace] {
        let id = bench.all_tasks().await.first().map(|task| task.id);
        let answer = bench.offer(vec![keyed("k", policy, send())]).await.unwrap();
        assert_eq!(answer[0].existing, id.is_some());
    }
    assert!(is_full(&bench.offer(vec![keyed("other", OnKey::Return, send())]).await, DEFAULT_QUEUE));
    let twice = vec![queued("mail", keyed("twice", OnKey::Return, send())), keyed("twice", OnKey::Return, send())];
    assert_eq!(bench.offer(twice).await.unwrap().len(), 2, "the second is the first");
}

pub(super) async fn its_depth_counts_the_first_task_of_a_run(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, deep(1)).await;
    bench.start(flow()).await;
    assert!(is_full(&bench.store.dispatch(vec![NewWork::Run(Box::new(flow()))]).await, DEFAULT_QUEUE));
    assert_eq!(bench.all_tasks().await.len(), 1);
}

pub(super) async fn eight_threads_at_once_do_not_go_beyond_its_depth(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, deep(50)).await;
    let store = Arc::clone(&bench.store);
    let answers = on_threads(8, move |_| {
        let store = Arc::clone(&store);
        async move {
            let mut added = 0;
            for _ in 0..20 {
                added += usize::from(store.dispatch(works([send()])).await.is_ok());
            }
            added
        }
    })
    .await;
    assert_eq!(answers.into_iter().sum::<usize>(), 50);
    assert_eq!(bench.queue(DEFAULT_QUEUE).await.due, 50);
}

pub(super) async fn no_more_run_than_its_concurrency(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, at_most(3)).await;
    for _ in 0..9 {
        bench.add(send()).await;
    }
    let mut workers = [bench.worker().await, bench.worker().await];
    let mut claims = Vec::new();
    for worker in &mut workers {
        worker.free(4);
        claims.push(worker.came().await);
    }
    assert_eq!(claims.iter().map(Vec::len).sum::<usize>(), 3, "over all workers");
    let [first, second] = &mut workers;
    let claim = claims[0].first().expect("the first was served").claim;
    first.finish(claim, ok()).await;
    let came = first.came().await.len() + second.came().await.len();
    assert_eq!((came, bench.queue(DEFAULT_QUEUE).await.running), (1, 3), "whoever waits is served when one ends");
}

pub(super) async fn each_way_out_frees_its_concurrency(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, at_most(1)).await;
    for verdict in super::bench::every_verdict() {
        let mut worker = bench.worker().await;
        bench.add(NewTask { priority: 9, ..send() }).await;
        bench.add(NewTask { priority: 9, ..send() }).await;
        worker.free(1);
        let claim = worker.next().await.claim;
        worker.free(1);
        worker.quiet().await;
        worker.finish(claim, verdict.clone()).await;
        let came = worker.next().await;
        assert_eq!(bench.queue(DEFAULT_QUEUE).await.running, 1, "{verdict:?}");
        worker.detach().await;
        worker.finish(came.claim, ok()).await;
        for task in bench.all_tasks().await {
            bench.cancel(task.id).await;
        }
        worker.retire().await;
    }
}

pub(super) async fn a_dead_worker_frees_its_concurrency(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, at_most(1)).await;
    bench.add(send()).await;
    bench.add(send()).await;
    let mut dead = bench.worker().await;
    let claim = dead.claim().await.claim;
    let mut worker = bench.worker().await;
    worker.free(2);
    worker.quiet().await;
    bench.store.reclaim(vec![dead.peer().await]).await.unwrap();
    let taken = worker.next().await;
    assert_eq!(taken.claim.id, claim.id);
    worker.quiet().await;
    assert_eq!(dead.finish(claim, ok()).await, Settled::Fenced);
    worker.quiet().await;
    worker.finish(taken.claim, ok()).await;
    worker.next().await;
}

pub(super) async fn a_chain_goes_on_within_its_concurrency(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, at_most(1)).await;
    bench.add(send()).await;
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.free(5);
    let claim = worker.next().await.claim;
    let next = [task("ship"), task("ship")];
    let first = next[0].id;
    worker.finish_and_free(claim, succeeded(then(next))).await;
    assert_eq!(worker.next().await.claim.id, first, "one is handed over");
    worker.quiet().await;
}

pub(super) async fn a_raised_concurrency_serves_who_waits(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, at_most(0)).await;
    for _ in 0..4 {
        bench.add(send()).await;
    }
    let mut worker = bench.worker().await;
    worker.free(4);
    worker.quiet().await;
    bench.set_rules(DEFAULT_QUEUE, at_most(2)).await;
    worker.take(2).await;
    worker.quiet().await;
    bench.set_rules(DEFAULT_QUEUE, QueueRules::default()).await;
    worker.take(2).await;
}

pub(super) async fn four_workers_at_once_keep_its_concurrency(bench: Bench) {
    bench.set_rules(DEFAULT_QUEUE, at_most(2)).await;
    bench.offer((0..80).map(|_| send()).collect()).await.unwrap();
    let store = Arc::clone(&bench.store);
    let ended = on_threads(4, move |_| {
        let store = Arc::clone(&store);
        async move {
            let mut worker = TestWorker::attach(Arc::clone(&store), "here", everything()).await;
            worker.free(1);
            let mut ended = 0;
            while ended < 20 {
                let claim = worker.next().await.claim;
                let queue = store.queues().await.unwrap().remove(0);
                assert!(queue.running <= 2, "{} run", queue.running);
                assert_eq!(worker.finish(claim, ok()).await, Settled::Committed);
                ended += 1;
                if ended < 20 {
                    worker.free(1);
                }
            }
            ended
        }
    })
    .await;
    assert_eq!(ended.into_iter().sum::<usize>(), 80);
}

pub(super) async fn nothing_of_it_is_lost_when_it_is_held_again_and_again(bench: Bench) {
    let mut worker = bench.worker().await;
    let mut done = 0;
    for round in 0..10 {
        bench.add(send()).await;
        bench.set_state(DEFAULT_QUEUE, if round % 2 == 0 { QueueState::Paused } else { QueueState::Open }).await;
        worker.free(1);
        for claimed in worker.came().await {
            worker.finish(claimed.claim, succeeded(Follow::default())).await;
            done += 1;
        }
    }
    assert_eq!(done, 10);
}
