//! Work that a worker does not know: parked if nobody does, left to those who do, resumed when one comes.

use crate::store::{NewTask, ParkReason, TaskState};

use super::bench::{Bench, everything, flow, knowing, ok, secs, send, step, succeeded, task, then, undecodable, works};

pub(super) async fn a_task_that_nobody_knows_is_parked(bench: Bench) {
    let id = bench.add(task("send")).await;
    let known = bench.add(task("ship")).await;
    let mut worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    assert_eq!(worker.claim().await.claim.id, known);
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.fence, kept.worker), (TaskState::Parked, 0, None));
    let (reason, detail) = kept.parked.expect("it says why");
    assert_eq!(reason, ParkReason::UnknownTask);
    assert!(detail.contains("send"), "the detail names the task: {detail}");
}

pub(super) async fn a_step_that_nobody_has_is_parked(bench: Bench) {
    let run = flow();
    let first = run.first.id;
    let run = bench.start(run).await;
    // The task is known; the step is not.
    let mut worker = bench.worker_knowing(knowing(&["send"], &["two"])).await;
    worker.free(1);
    worker.quiet().await;
    let kept = bench.task(first).await;
    let (reason, detail) = kept.parked.expect("it says why");
    assert_eq!((kept.state, reason), (TaskState::Parked, ParkReason::UnknownStep));
    assert!(detail.contains("one") && detail.contains("flow"), "the detail names the step: {detail}");
    assert_eq!(bench.run(run).await.open_tasks, 1, "a parked step keeps its run open");
}

pub(super) async fn parking_uses_no_slot(bench: Bench) {
    for _ in 0..3 {
        bench.add(task("send")).await;
    }
    let mut worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    worker.free(2);
    worker.quiet().await;
    bench.add(task("ship")).await;
    bench.add(task("ship")).await;
    worker.take(2).await;
}

pub(super) async fn a_new_task_that_nobody_knows_is_parked_by_a_waiting_worker(bench: Bench) {
    let mut worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    worker.free(1);
    let id = bench.add(task("send")).await;
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Parked);
}

pub(super) async fn a_task_that_another_worker_knows_is_left_to_it(bench: Bench) {
    let mut other = bench.worker_knowing(knowing(&["send"], &[])).await;
    let mut worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    let id = bench.add(task("send")).await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Ready);
    assert_eq!(other.claim().await.claim.id, id);
}

pub(super) async fn a_step_that_another_worker_has_is_left_to_it(bench: Bench) {
    let mut other = bench.worker_knowing(knowing(&[], &["one"])).await;
    let mut worker = bench.worker_knowing(knowing(&["send"], &["two"])).await;
    let run = flow();
    let first = run.first.id;
    bench.start(run).await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.state(first).await, TaskState::Ready);
    assert_eq!(other.claim().await.claim.id, first);
}

pub(super) async fn a_worker_that_waits_gets_what_the_first_one_does_not_know(bench: Bench) {
    let mut worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    let mut other = bench.worker_knowing(knowing(&["send"], &[])).await;
    worker.free(1);
    other.free(1);
    let (send, ship) = (bench.add(task("send")).await, bench.add(task("ship")).await);
    assert_eq!(other.next().await.claim.id, send);
    assert_eq!(worker.next().await.claim.id, ship);
}

pub(super) async fn what_others_know_does_not_hide_what_it_knows_itself(bench: Bench) {
    let mut other = bench.worker_knowing(knowing(&["send"], &[])).await;
    bench.store.dispatch(works((0..1_500).map(|_| NewTask { priority: 1, ..task("send") }))).await.unwrap();
    let own = bench.add(task("ship")).await;
    let mut worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    assert_eq!(worker.claim().await.claim.id, own);
    let second = bench.add(task("ship")).await;
    assert_eq!(worker.claim().await.claim.id, second);
    other.free(1_500);
    other.take(1_500).await;
}

pub(super) async fn a_task_is_parked_when_the_last_that_knew_it_is_gone(bench: Bench) {
    let other = bench.worker_knowing(knowing(&["send"], &[])).await;
    let mut worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    let id = bench.add(task("send")).await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Ready);
    other.retire().await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Parked);
}

pub(super) async fn a_parked_task_resumes_when_a_worker_knows_it(bench: Bench) {
    let id = bench.add(task("send")).await;
    let worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    worker.free(1);
    worker.beat().await;
    assert_eq!(bench.state(id).await, TaskState::Parked);
    bench.clock.advance(secs(60));
    let mut knower = bench.worker_knowing(knowing(&["send"], &[])).await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.parked, kept.run_at), (TaskState::Ready, None, bench.now()));
    let claimed = knower.claim().await;
    assert_eq!((claimed.claim.id, claimed.claim.fence), (id, 1));
    knower.finish(claimed.claim, ok()).await;
}

pub(super) async fn a_parked_step_resumes_when_a_worker_has_it(bench: Bench) {
    let run = flow();
    let first = run.first.id;
    bench.start(run).await;
    let worker = bench.worker_knowing(knowing(&["send"], &[])).await;
    worker.free(1);
    worker.beat().await;
    assert_eq!(bench.state(first).await, TaskState::Parked);
    let mut knower = bench.worker_knowing(knowing(&[], &["one"])).await;
    assert_eq!(knower.claim().await.claim.id, first);
}

pub(super) async fn a_worker_that_does_not_know_it_resumes_nothing(bench: Bench) {
    let id = bench.add(task("send")).await;
    let run = flow();
    let first = run.first.id;
    bench.start(run).await;
    let worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    worker.free(1);
    worker.beat().await;
    bench.worker_knowing(knowing(&["charge"], &["two"])).await;
    assert_eq!(bench.state(id).await, TaskState::Parked);
    assert_eq!(bench.state(first).await, TaskState::Parked);
}

pub(super) async fn what_can_not_be_read_is_tried_once_by_each_new_worker(bench: Bench) {
    let id = bench.add(task("send")).await;
    for fence in 1..=3 {
        let mut worker = bench.worker().await;
        let claimed = worker.claim().await;
        assert_eq!((claimed.claim.id, claimed.claim.fence), (id, fence));
        worker.finish_and_free(claimed.claim, undecodable()).await;
        worker.quiet().await;
        let kept = bench.task(id).await;
        assert_eq!(kept.state, TaskState::Parked);
        assert_eq!(kept.parked.unwrap().0, ParkReason::Undecodable);
        assert_eq!((kept.failures, kept.crashes, kept.interrupts), (0, 0, 0));
        worker.retire().await;
    }
}

pub(super) async fn what_can_not_be_read_is_not_tried_by_who_does_not_know_it(bench: Bench) {
    let id = bench.add(task("send")).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    worker.finish(claimed.claim, undecodable()).await;
    bench.worker_knowing(knowing(&["ship"], &["one"])).await;
    assert_eq!(bench.state(id).await, TaskState::Parked);
}

pub(super) async fn a_task_that_waits_for_its_time_is_not_parked_before(bench: Bench) {
    let id = bench.add(NewTask { delay: secs(5), ..task("send") }).await;
    let mut worker = bench.worker_knowing(knowing(&["ship"], &[])).await;
    worker.free(1);
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Ready);
}

pub(super) async fn a_continuation_that_nobody_knows_is_parked(bench: Bench) {
    let run = bench.start(flow()).await;
    let mut worker = bench.worker_knowing(knowing(&[], &["one"])).await;
    let claimed = worker.claim().await;
    let next = step(run, "two");
    let id = next.id;
    worker.finish_and_free(claimed.claim, succeeded(then([next]))).await;
    worker.quiet().await;
    assert_eq!(bench.state(id).await, TaskState::Parked);
    assert_eq!(bench.run(run).await.open_tasks, 1);
    let mut knower = bench.worker_knowing(everything()).await;
    assert_eq!(knower.claim().await.claim.id, id);
}

pub(super) async fn a_worker_that_waits_gets_what_an_attach_resumes(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    worker.finish_and_free(claimed.claim, undecodable()).await;
    worker.quiet().await;
    // A new binary starts; whoever knows the task and has a slot may be the one that tries it.
    bench.worker().await;
    let again = worker.next().await;
    assert_eq!((again.claim.id, again.claim.fence), (id, 2));
}
