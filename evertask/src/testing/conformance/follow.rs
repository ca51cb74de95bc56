//! What follows an ended task, outside of runs.

use crate::store::{Finished, Follow, NewTask, NewWork, Notes, RunState, TaskState, Verdict};

use super::bench::{
    Bench, cancelled, done, failed, fails, flow, ok, retry, secs, send, snoozed, succeeded, task, then, undecodable,
};

pub(super) async fn it_is_added_by_each_end(bench: Bench) {
    let mut worker = bench.worker().await;
    let ends: [fn(Follow) -> Verdict; 3] = [succeeded, failed, cancelled];
    for end in ends {
        let id = bench.add(send()).await;
        let claimed = worker.claim().await;
        assert_eq!(claimed.claim.id, id);
        let next = NewTask { parent: Some(id), payload: b"[2]".to_vec(), queue: "later".into(), ..task("ship") };
        let next_id = next.id;
        worker.finish(claimed.claim, end(then([next]))).await;
        let kept = bench.task(next_id).await;
        assert_eq!((kept.state, kept.parent, &kept.payload[..]), (TaskState::Ready, Some(id), &b"[2]"[..]));
        assert_eq!(kept.created_at, bench.now());
    }
}

pub(super) async fn a_repeated_continuation_is_one(bench: Bench) {
    let next = task("ship");
    let mut worker = bench.worker().await;
    for _ in 0..2 {
        bench.add(NewTask { priority: 5, ..send() }).await;
        let claimed = worker.claim().await;
        assert_eq!(claimed.name, "send");
        worker.finish(claimed.claim, succeeded(then([next.clone()]))).await;
    }
    let tasks = bench.all_tasks().await;
    assert_eq!(tasks.iter().filter(|task| task.name == "ship").count(), 1);
}

pub(super) async fn it_waits_for_its_time(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    let next = NewTask { delay: secs(60), ..task("ship") };
    let id = next.id;
    worker.finish(claimed.claim, succeeded(then([next]))).await;
    assert_eq!(bench.task(id).await.run_at, bench.now().plus(secs(60)));
}

pub(super) async fn a_run_can_follow(bench: Bench) {
    let parent = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    let mut run = flow();
    run.parent = Some(parent);
    let (id, first) = (run.id, run.first.id);
    let next = Follow { work: vec![NewWork::Run(Box::new(run))], ..Follow::default() };
    worker.finish_and_free(claimed.claim, succeeded(next)).await;
    let claimed = worker.next().await;
    assert_eq!(claimed.claim.id, first);
    assert_eq!(bench.run(id).await.parent, Some(parent));
    worker.finish(claimed.claim, succeeded(done("1"))).await;
    assert_eq!(bench.run_state(id).await, RunState::Succeeded);
}

pub(super) async fn a_waiting_worker_gets_it(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    let mut other = bench.worker().await;
    other.free(1);
    other.beat().await;
    let next = task("ship");
    let id = next.id;
    worker.finish(claimed.claim, succeeded(then([next]))).await;
    assert_eq!(other.next().await.claim.id, id);
}

pub(super) async fn an_output_and_a_failure_need_a_run(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    let next = Follow { output: Some(b"7".to_vec()), ..fails("of no run") };
    worker.finish(claimed.claim, succeeded(next)).await;
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.output.as_deref()), (TaskState::Succeeded, Some(&b"\"ok\""[..])));
    assert_eq!(kept.failure, None);
}

pub(super) async fn nothing_follows_what_is_not_ended(bench: Bench) {
    let mut worker = bench.worker().await;
    for verdict in [retry(secs(9)), snoozed(secs(9)), undecodable()] {
        bench.add(send()).await;
        let claimed = worker.claim().await;
        worker.finish(claimed.claim, verdict).await;
    }
    assert_eq!(bench.all_tasks().await.len(), 3);
}

pub(super) async fn many_follow_one(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    let next: Vec<NewTask> = (0..1_200).map(|_| task("ship")).collect();
    worker.finish_and_free(claimed.claim, succeeded(then(next))).await;
    worker.free(1_199);
    assert_eq!(worker.take(1_200).await.len(), 1_200);
    worker.quiet().await;
}

pub(super) async fn what_follows_in_one_call_is_in_order(bench: Bench) {
    bench.add(send()).await;
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    worker.free(2);
    let claimed = worker.take(2).await;
    let next = [task("ship"), task("charge"), task("ship"), task("charge")];
    let ids: Vec<_> = next.iter().map(|task| task.id).collect();
    let [a, b, c, d] = next;
    let ended = |index: usize, next: Follow| Finished {
        claim: claimed[index].claim,
        verdict: succeeded(next),
        notes: Notes::default(),
    };
    worker.settle(vec![ended(0, then([a, b])), ended(1, then([c, d]))], 0).await;
    worker.free(4);
    let taken = worker.take(4).await;
    assert_eq!(super::claim::ids(&taken), ids);
    for claimed in taken {
        worker.finish(claimed.claim, ok()).await;
    }
}
