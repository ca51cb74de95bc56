//! One task for each item, and how many of them may run at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::id::{RunId, TaskId};
use crate::store::{
    CancelOutcome, Claimed, Follow, NewEach, NewTask, NewWork, RunState, StoreError, TaskState, Verdict, Wait,
};

use super::bench::{
    Bench, failed, fails, ok, on_threads, report, retry, secs, send, snoozed, succeeded, then, undecodable,
};
use super::parts::{begun, each, easy, for_each, ids_of, led_to, payload};
use super::worker::TestWorker;

/// A run that has a step for each item.
async fn has_items(bench: &Bench, items: usize, limit: Option<u32>) -> (RunId, Vec<TaskId>, TestWorker) {
    let run = easy();
    let group = each(run.id, "two", items, limit);
    let ids = ids_of(&group);
    let (run, worker) = led_to(bench, run, |_| for_each(group)).await;
    (run, ids, worker)
}

/// How many of these are ready or running, and how many wait for their turn.
async fn started(bench: &Bench, ids: &[TaskId]) -> (usize, usize) {
    let (mut started, mut waiting) = (0, 0);
    for &id in ids {
        let kept = bench.task(id).await;
        started += usize::from(matches!(kept.state, TaskState::Ready | TaskState::Running));
        waiting += usize::from((kept.state, kept.wait) == (TaskState::Waiting, Some(Wait::Turn)));
    }
    (started, waiting)
}

pub(super) async fn each_item_is_a_task_in_their_order(bench: Bench) {
    let (run, ids, mut worker) = has_items(&bench, 5, None).await;
    for (index, &id) in ids.iter().enumerate() {
        let kept = bench.task(id).await;
        assert_eq!((kept.state, kept.item), (TaskState::Ready, Some(u32::try_from(index).unwrap())));
        assert_eq!((kept.run, kept.step.as_deref(), kept.wait), (Some(run), Some("two"), None));
    }
    assert_eq!(bench.run(run).await.open_tasks, 5);
    worker.free(5);
    let claimed = worker.take(5).await;
    assert_eq!(claimed.iter().map(payload).collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
    assert!(claimed.iter().all(|one| one.got.is_none()));
}

pub(super) async fn a_task_that_is_no_item_has_no_place(bench: Bench) {
    let (_, _, claim) = begun(&bench, easy()).await;
    assert_eq!(bench.task(claim.id).await.item, None);
}

pub(super) async fn those_beyond_the_limit_wait_for_their_turn(bench: Bench) {
    let (run, ids, mut worker) = has_items(&bench, 5, Some(2)).await;
    assert_eq!(started(&bench, &ids).await, (2, 3));
    assert_eq!(bench.run(run).await.open_tasks, 5, "all of them count");
    worker.free(5);
    let claimed = worker.take(2).await;
    worker.quiet().await;
    assert_eq!((payload(&claimed[0]), payload(&claimed[1])), ("0", "1"));
}

pub(super) async fn a_limit_beyond_the_items_limits_nothing(bench: Bench) {
    let (_, ids, _worker) = has_items(&bench, 3, Some(3)).await;
    assert_eq!(started(&bench, &ids).await, (3, 0));
    let (_, ids, _worker) = has_items(&bench, 3, Some(u32::MAX)).await;
    assert_eq!(started(&bench, &ids).await, (3, 0));
}

pub(super) async fn each_end_gives_the_lowest_item_its_turn(bench: Bench) {
    let (run, ids, mut worker) = has_items(&bench, 6, Some(2)).await;
    worker.free(2);
    let mut running: VecDeque<Claimed> = worker.take(2).await.into();
    let ends = [ok(), failed(Follow::default()), super::bench::cancelled(Follow::default()), ok()];
    // The later of the two ends first: the next is still the lowest that waits.
    for (index, end) in (2..).zip(ends) {
        let claim = running.pop_back().unwrap().claim;
        worker.finish_and_free(claim, end).await;
        let next = worker.next().await;
        assert_eq!(next.claim.id, ids[index]);
        running.push_back(next);
    }
    assert_eq!(bench.run_state(run).await, RunState::Running);
    for claimed in running {
        worker.finish(claimed.claim, ok()).await;
    }
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn one_at_a_time_is_in_order(bench: Bench) {
    let (run, _, mut worker) = has_items(&bench, 50, Some(1)).await;
    worker.free(3);
    for index in 0..50 {
        let claimed = worker.next().await;
        assert_eq!(payload(&claimed), index.to_string());
        worker.finish_and_free(claimed.claim, ok()).await;
    }
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn several_ends_in_one_call_give_several_turns(bench: Bench) {
    let (_, ids, mut worker) = has_items(&bench, 7, Some(3)).await;
    worker.free(3);
    let claimed = worker.take(3).await;
    let end = |one: &Claimed| crate::store::Finished {
        claim: one.claim,
        verdict: ok(),
        notes: crate::store::Notes::default(),
    };
    worker.settle(claimed.iter().map(end).collect(), 7).await;
    let next = worker.take(3).await;
    worker.quiet().await;
    assert_eq!(next.iter().map(|one| one.claim.id).collect::<Vec<_>>(), ids[3..6]);
    assert_eq!(started(&bench, &ids).await, (3, 1));
}

pub(super) async fn what_is_put_back_keeps_its_turn(bench: Bench) {
    for verdict in [retry(secs(5)), snoozed(secs(5)), Verdict::Interrupted, undecodable()] {
        let (run, ids, mut worker) = has_items(&bench, 3, Some(1)).await;
        let claim = worker.claim().await.claim;
        worker.finish(claim, verdict).await;
        assert_eq!(bench.task(ids[1]).await.wait, Some(Wait::Turn));
        assert_eq!(started(&bench, &ids).await.1, 2);
        bench.cancel(run).await;
    }
}

pub(super) async fn a_dead_workers_item_keeps_its_turn(bench: Bench) {
    let (_, ids, mut worker) = has_items(&bench, 3, Some(1)).await;
    let claim = worker.claim().await.claim;
    bench.store.reclaim(vec![worker.peer().await]).await.unwrap();
    assert_eq!(started(&bench, &ids).await, (1, 2));
    let mut other = bench.worker().await;
    other.free(3);
    assert_eq!(other.next().await.claim.id, claim.id);
    other.quiet().await;
}

pub(super) async fn a_delayed_item_has_its_turn(bench: Bench) {
    let run = easy();
    let mut group = each(run.id, "two", 2, Some(1));
    group.tasks.iter_mut().for_each(|task| task.delay = secs(60));
    let (_, mut worker) = led_to(&bench, run, |_| for_each(group)).await;
    worker.free(2);
    worker.quiet().await;
    bench.clock.advance(secs(60));
    let first = worker.next().await;
    worker.quiet().await;
    worker.finish(first.claim, ok()).await;
    assert_eq!(payload(&worker.next().await), "1", "its time is past when its turn comes");
}

pub(super) async fn a_higher_priority_does_not_jump_the_turns(bench: Bench) {
    let run = easy();
    let mut group = each(run.id, "two", 3, Some(1));
    group.tasks[2].priority = 9;
    let (_, mut worker) = led_to(&bench, run, |_| for_each(group)).await;
    worker.free(3);
    for index in ["0", "1", "2"] {
        let claimed = worker.next().await;
        assert_eq!(payload(&claimed), index);
        worker.finish(claimed.claim, ok()).await;
    }
}

pub(super) async fn two_groups_have_a_limit_each(bench: Bench) {
    let run = easy();
    let groups = [each(run.id, "two", 4, Some(1)), each(run.id, "two", 4, Some(2))];
    let ids = groups.each_ref().map(ids_of);
    let work = groups.map(NewWork::Each).into();
    let (_, mut worker) = led_to(&bench, run, |_| Follow { work, ..Follow::default() }).await;
    assert_eq!(started(&bench, &ids[0]).await, (1, 3));
    assert_eq!(started(&bench, &ids[1]).await, (2, 2));
    let claim = worker.claim().await.claim;
    worker.finish(claim, ok()).await;
    assert_eq!(bench.state(ids[0][1]).await, TaskState::Ready);
    assert_eq!(started(&bench, &ids[1]).await, (2, 2));
}

pub(super) async fn a_group_that_is_there_adds_nothing(bench: Bench) {
    let run = easy();
    let group = each(run.id, "two", 2, None);
    let again = NewEach { tasks: each(run.id, "two", 3, None).tasks, ..group.clone() };
    let work = vec![NewWork::Each(group), NewWork::Each(again)];
    let (run, _worker) = led_to(&bench, run, |_| Follow { work, ..Follow::default() }).await;
    assert_eq!(bench.run(run).await.open_tasks, 2);
    assert_eq!(bench.all_tasks().await.len(), 3);
}

pub(super) async fn no_items_add_nothing(bench: Bench) {
    let (run, ids, _worker) = has_items(&bench, 0, Some(2)).await;
    assert_eq!((ids.len(), bench.all_tasks().await.len()), (0, 1));
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn they_are_handed_over_up_to_the_limit(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let group = each(run, "two", 4, Some(2));
    let ids = ids_of(&group);
    bench.add(send()).await;
    let finished =
        crate::store::Finished { claim, verdict: succeeded(for_each(group)), notes: crate::store::Notes::default() };
    worker.settle(vec![finished], 3).await;
    let claimed = worker.take(3).await;
    assert_eq!((claimed[0].claim.id, claimed[1].claim.id), (ids[0], ids[1]), "before what waited in the queue");
    assert_eq!(claimed[2].of, None);
}

pub(super) async fn outside_a_run_they_have_a_limit_too(bench: Bench) {
    let (ids, mut worker) = loose_items(&bench, 4, 2).await;
    assert_eq!(started(&bench, &ids).await, (2, 2));
    worker.free(4);
    let claimed = worker.take(2).await;
    worker.finish(claimed[0].claim, failed(Follow::default())).await;
    assert_eq!(worker.next().await.claim.id, ids[2]);
    assert_eq!(started(&bench, &ids).await, (2, 1));
}

/// Items of no run, which a task has left behind.
async fn loose_items(bench: &Bench, items: usize, limit: u32) -> (Vec<TaskId>, TestWorker) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let mut group = each(RunId::new(), "two", items, Some(limit));
    group.tasks.iter_mut().for_each(|task| task.of = None);
    let ids = ids_of(&group);
    worker.finish(claim, succeeded(for_each(group))).await;
    (ids, worker)
}

pub(super) async fn the_end_of_one_that_waits_gives_no_turn(bench: Bench) {
    let (ids, mut worker) = loose_items(&bench, 5, 2).await;
    assert_eq!(bench.cancel(ids[2]).await, CancelOutcome::Cancelled);
    assert_eq!(started(&bench, &ids).await, (2, 2));
    let claim = worker.claim().await.claim;
    worker.finish(claim, ok()).await;
    assert_eq!(bench.state(ids[3]).await, TaskState::Ready, "the cancelled one is passed over");
    assert_eq!(started(&bench, &ids).await, (2, 1));
}

pub(super) async fn a_cancel_of_one_that_is_ready_gives_its_turn(bench: Bench) {
    let (ids, _worker) = loose_items(&bench, 4, 2).await;
    assert_eq!(bench.cancel(ids[0]).await, CancelOutcome::Cancelled);
    assert_eq!(bench.state(ids[2]).await, TaskState::Ready);
    assert_eq!(started(&bench, &ids).await, (2, 1));
}

pub(super) async fn a_failure_ends_all_that_wait(bench: Bench) {
    let (run, ids, mut worker) = has_items(&bench, 5, Some(2)).await;
    worker.free(5);
    let claimed = worker.take(2).await;
    worker.finish(claimed[0].claim, failed(fails("no"))).await;
    assert_eq!(worker.told().await, claimed[1].claim);
    for &id in &ids[2..] {
        assert_eq!(bench.state(id).await, TaskState::Cancelled);
    }
    worker.finish(claimed[1].claim, ok()).await;
    worker.quiet().await;
    assert_eq!(bench.run_state(run).await, RunState::Failed);
}

pub(super) async fn a_cancel_ends_all_that_wait(bench: Bench) {
    let (run, ids, _worker) = has_items(&bench, 5, Some(2)).await;
    assert_eq!(bench.cancel(run).await, CancelOutcome::Cancelled);
    for &id in &ids {
        let kept = bench.task(id).await;
        assert_eq!((kept.state, kept.wait, kept.fence), (TaskState::Cancelled, None, 0));
    }
}

pub(super) async fn a_routed_cancel_waits_for_no_turn(bench: Bench) {
    let run = easy();
    let mut group = each(run.id, "two", 3, Some(1));
    group.tasks.iter_mut().for_each(|task| task.cancel_routed = true);
    let (run, mut worker) = led_to(&bench, run, |_| for_each(group)).await;
    assert_eq!(bench.cancel(run).await, CancelOutcome::Requested);
    worker.free(3);
    for claimed in worker.take(3).await {
        assert!(claimed.cancelled);
        worker.finish(claimed.claim, super::bench::cancelled(then([]))).await;
    }
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}

pub(super) async fn they_can_only_follow(bench: Bench) {
    let refused = |answer| assert!(matches!(answer, Err(StoreError::Refused { .. })), "{answer:?}");
    let mut loose = each(RunId::new(), "two", 2, None);
    loose.tasks.iter_mut().for_each(|task| task.of = None);
    refused(bench.store.dispatch(vec![NewWork::Task(send()), NewWork::Each(loose)]).await);
    let run = bench.start(easy()).await;
    refused(bench.store.dispatch(vec![NewWork::Each(each(run, "two", 2, None))]).await);
    assert_eq!(bench.all_tasks().await.len(), 1, "all of it or none");
}

pub(super) async fn the_limit_holds_whatever_becomes_of_them(bench: Bench) {
    const ITEMS: usize = 40;
    const LIMIT: usize = 3;
    let (run, ids, mut worker) = has_items(&bench, ITEMS, Some(3)).await;
    worker.free(40);
    let mut ended = 0;
    for turn in 0.. {
        let claimed = worker.next().await;
        let verdict = match turn % 5 {
            0 => retry(secs(0)),
            1 => snoozed(secs(0)),
            2 => Verdict::Interrupted,
            3 => Verdict::Failed { report: report("no"), error: None, next: Follow::default() },
            _ => ok(),
        };
        ended += usize::from(turn % 5 > 2);
        worker.finish_and_free(claimed.claim, verdict).await;
        let (now, waiting) = started(&bench, &ids).await;
        assert!(now <= LIMIT, "{now} at once");
        assert_eq!(now, LIMIT.min(ITEMS - ended), "no turn is lost");
        assert_eq!(now + waiting + ended, ITEMS);
        if ended == ITEMS {
            break;
        }
    }
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn the_limit_holds_on_four_workers_at_once(bench: Bench) {
    const ITEMS: usize = 300;
    const LIMIT: usize = 3;
    let (run, _, _worker) = has_items(&bench, ITEMS, Some(3)).await;
    let mut workers = Vec::new();
    for _ in 0..4 {
        workers.push(Some(bench.worker().await));
    }
    let workers = std::sync::Mutex::new(workers);
    let (now, most, left) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(ITEMS));
    let shared = Arc::new((workers, now, most, left, tokio::sync::Semaphore::new(0)));
    let seen = Arc::clone(&shared);
    on_threads(4, move |thread| {
        let shared = Arc::clone(&shared);
        async move {
            let (workers, now, most, left, over) = &*shared;
            let mut worker = workers.lock().unwrap()[thread].take().unwrap();
            worker.free(4);
            loop {
                let claimed = tokio::select! {
                    claimed = worker.next() => claimed,
                    _ = over.acquire() => return,
                };
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                worker.finish_and_free(claimed.claim, ok()).await;
                if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                    over.close();
                }
            }
        }
    })
    .await;
    let most = seen.2.load(Ordering::SeqCst);
    assert!(most <= LIMIT, "{most} at once");
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    assert!(bench.all_tasks().await.iter().all(|task| task.state == TaskState::Succeeded && task.fence == 1));
}

pub(super) async fn an_item_may_have_its_key_taken(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    bench.add(NewTask { key: Some("k".to_owned()), ..send() }).await;
    let mut group = each(run, "two", 3, Some(1));
    group.tasks[0].key = Some("k".to_owned());
    worker.finish(claim, succeeded(for_each(group))).await;
    assert_eq!(bench.run(run).await.open_tasks, 2, "it is not there, and keeps nobody waiting");
    worker.free(3);
    assert_eq!(worker.next().await.of, None);
    for index in ["1", "2"] {
        let claimed = worker.next().await;
        assert_eq!(payload(&claimed), index);
        worker.finish(claimed.claim, ok()).await;
    }
    assert_eq!(bench.run_state(run).await, RunState::Succeeded);
}

pub(super) async fn items_that_follow_a_cancel_have_their_turns(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    bench.cancel(run).await;
    worker.told().await;
    worker.finish(claim, super::bench::cancelled(for_each(each(run, "two", 3, Some(1))))).await;
    worker.free(3);
    for index in ["0", "1", "2"] {
        let claimed = worker.next().await;
        worker.quiet().await;
        assert_eq!(payload(&claimed), index);
        worker.finish(claimed.claim, ok()).await;
    }
    assert_eq!(bench.run_state(run).await, RunState::Cancelled);
}
