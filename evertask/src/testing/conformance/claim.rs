//! Free slots and ready tasks.

use std::collections::HashSet;

use crate::id::TaskId;
use crate::store::{Claimed, NewTask, StepOf, TaskState, Verdict};

use super::bench::{Bench, flow, ok, retry, secs, send, snoozed, task, works};

fn queued(queue: &'static str) -> NewTask {
    NewTask { queue: queue.into(), ..send() }
}

fn prior(priority: i16) -> NewTask {
    NewTask { priority, ..send() }
}

pub(super) fn ids(claimed: &[Claimed]) -> Vec<TaskId> {
    claimed.iter().map(|claimed| claimed.claim.id).collect()
}

pub(super) async fn a_claim_says_all_that_a_handler_needs(bench: Bench) {
    let given = NewTask { payload: b"[1]".to_vec(), correlation: Some("c".to_owned()), ..queued("mail") };
    let id = bench.add(given).await;
    let mut worker = bench.worker().await;
    worker.free_in("mail", 1);
    let claimed = worker.next().await;
    assert_eq!((claimed.claim.id, claimed.claim.fence), (id, 1));
    assert_eq!((claimed.name.as_str(), claimed.queue.as_str(), &claimed.payload[..]), ("send", "mail", &b"[1]"[..]));
    assert_eq!((claimed.failures, claimed.crashes, claimed.cancelled), (0, 0, false));
    assert_eq!((claimed.correlation.as_deref(), claimed.of), (Some("c"), None));
}

pub(super) async fn a_claimed_task_is_running_under_its_worker(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.claim().await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.worker, kept.fence), (TaskState::Running, Some(worker.id), 1));
}

pub(super) async fn a_claimed_step_says_which_it_is(bench: Bench) {
    let run = bench.start(flow()).await;
    let mut worker = bench.worker().await;
    let of = Some(StepOf { run, workflow: "flow".into(), step: Some("one".into()) });
    assert_eq!(worker.claim().await.of, of);
}

pub(super) async fn work_that_waits_comes_when_a_slot_is_free(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.quiet().await;
    assert_eq!(worker.claim().await.claim.id, id);
}

pub(super) async fn a_free_slot_waits_for_work(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(1);
    worker.quiet().await;
    let id = bench.add(send()).await;
    assert_eq!(worker.next().await.claim.id, id);
}

pub(super) async fn the_first_task_of_a_run_fills_a_waiting_slot(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(1);
    let run = bench.start(flow()).await;
    assert_eq!(worker.next().await.of.unwrap().run, run);
}

pub(super) async fn first_come_first_claimed(bench: Bench) {
    let mut added = Vec::new();
    for _ in 0..5 {
        added.push(bench.add(send()).await);
        added.push(bench.add(task("charge")).await);
    }
    let mut worker = bench.worker().await;
    worker.free(4);
    let mut claimed = worker.take(4).await;
    worker.free(6);
    claimed.extend(worker.take(6).await);
    assert_eq!(ids(&claimed), added);
}

pub(super) async fn first_come_first_claimed_within_one_call(bench: Bench) {
    let tasks: Vec<NewTask> = (0..20).map(|_| send()).collect();
    let added: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    bench.store.dispatch(works(tasks)).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(20);
    assert_eq!(ids(&worker.take(20).await), added);
}

pub(super) async fn what_is_put_back_keeps_its_place(bench: Bench) {
    let first = bench.add(send()).await;
    let second = bench.add(send()).await;
    let mut worker = bench.worker().await;
    for back in [retry(secs(0)), snoozed(secs(0)), Verdict::Interrupted] {
        let claimed = worker.claim().await;
        assert_eq!(claimed.claim.id, first);
        worker.finish(claimed.claim, back).await;
    }
    worker.free(2);
    assert_eq!(ids(&worker.take(2).await), [first, second]);
}

pub(super) async fn the_priority_comes_before_the_arrival(bench: Bench) {
    let mut added = Vec::new();
    for priority in [0, i16::MIN, 5, i16::MAX, -1, 5, 0] {
        added.push((priority, bench.add(prior(priority)).await));
    }
    added.sort_by_key(|(priority, _)| -i32::from(*priority));
    let expected: Vec<TaskId> = added.into_iter().map(|(_, id)| id).collect();
    let mut worker = bench.worker().await;
    let mut claimed = Vec::new();
    for _ in 0..expected.len() {
        claimed.push(worker.claim().await.claim.id);
    }
    assert_eq!(claimed, expected);
}

pub(super) async fn a_batch_comes_in_order_too(bench: Bench) {
    let low = bench.add(prior(1)).await;
    let high = bench.add(prior(9)).await;
    let middle = bench.add(prior(5)).await;
    let mut worker = bench.worker().await;
    worker.free(3);
    assert_eq!(ids(&worker.take(3).await), [high, middle, low]);
}

pub(super) async fn free_slots_add_up(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(1);
    worker.free(2);
    for _ in 0..4 {
        bench.add(send()).await;
    }
    worker.take(3).await;
    worker.quiet().await;
}

pub(super) async fn no_more_comes_than_was_free(bench: Bench) {
    for _ in 0..5 {
        bench.add(send()).await;
    }
    let mut worker = bench.worker().await;
    worker.free(2);
    worker.take(2).await;
    worker.quiet().await;
    bench.add(send()).await;
    worker.quiet().await;
    worker.free(1);
    worker.next().await;
    worker.quiet().await;
}

pub(super) async fn no_slot_is_no_claim(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.free(0);
    worker.quiet().await;
}

pub(super) async fn a_slot_is_of_its_queue(bench: Bench) {
    let mail = bench.add(queued("mail")).await;
    let other = bench.add(queued("other")).await;
    let mut worker = bench.worker().await;
    worker.free_in("other", 5);
    assert_eq!(worker.next().await.claim.id, other);
    worker.quiet().await;
    assert_eq!(bench.state(mail).await, TaskState::Ready);
}

pub(super) async fn slots_of_several_queues_come_in_one_call(bench: Bench) {
    let mail = bench.add(queued("mail")).await;
    let other = bench.add(queued("other")).await;
    let mut worker = bench.worker().await;
    bench.store.settle(worker.id, Vec::new(), vec![("mail".to_owned(), 1), ("other".to_owned(), 1)]);
    let claimed: HashSet<TaskId> = ids(&worker.take(2).await).into_iter().collect();
    assert_eq!(claimed, HashSet::from([mail, other]));
}

pub(super) async fn each_claim_has_a_new_fence(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    for fence in 1..=5 {
        let claimed = worker.claim().await;
        assert_eq!((claimed.claim.id, claimed.claim.fence), (id, fence));
        worker.finish(claimed.claim, retry(secs(0))).await;
    }
    assert_eq!(bench.task(id).await.fence, 5);
}

pub(super) async fn what_is_claimed_is_nobody_elses(bench: Bench) {
    let mut workers = [bench.worker().await, bench.worker().await, bench.worker().await];
    for worker in &workers {
        worker.free(4);
    }
    let mut added = HashSet::new();
    for _ in 0..12 {
        added.insert(bench.add(send()).await);
    }
    let mut claimed = HashSet::new();
    for worker in &mut workers {
        for taken in worker.take(4).await {
            assert!(claimed.insert(taken.claim.id), "claimed twice");
            assert_eq!(bench.task(taken.claim.id).await.worker, Some(worker.id));
        }
        worker.quiet().await;
    }
    assert_eq!(claimed, added);
}

pub(super) async fn what_has_ended_is_not_claimed_again(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    worker.finish_and_free(claimed.claim, ok()).await;
    worker.quiet().await;
}

pub(super) async fn what_is_not_due_does_not_stand_in_the_way(bench: Bench) {
    let delayed = (0..2_000).map(|number| NewTask { priority: 9, delay: secs(60 + number), ..send() });
    bench.store.dispatch(works(delayed)).await.unwrap();
    let due = bench.add(prior(-9)).await;
    let mut worker = bench.worker().await;
    worker.free(2);
    assert_eq!(worker.next().await.claim.id, due);
    worker.quiet().await;
}

pub(super) async fn a_worker_that_is_not_listed_claims_nothing(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.retire().await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Ready);
    let mut other = bench.worker().await;
    assert_eq!(other.claim().await.claim.id, id);
}

pub(super) async fn demand_that_was_not_met_outlives_other_claims(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(3);
    let first = bench.add(send()).await;
    let claimed = worker.next().await;
    assert_eq!(claimed.claim.id, first);
    worker.finish(claimed.claim, ok()).await;
    bench.store.dispatch(works([send(), send(), send()])).await.unwrap();
    worker.take(2).await;
    worker.quiet().await;
}
