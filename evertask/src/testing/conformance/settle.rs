//! What an attempt comes to: each verdict, and what it counts.

use crate::failure::FailureKind;
use crate::schedule::Timestamp;
use crate::store::{
    Claim, Delivery, Finished, Follow, LogLine, NewTask, Notes, ParkReason, Settled, TaskRecord, TaskState, Verdict,
};

use super::bench::{
    Bench, cancelled, every_verdict, failed, ok, report, retry, secs, send, snoozed, succeeded, then, undecodable,
    works,
};
use super::worker::TestWorker;

/// A task that one attempt came to this.
async fn after(bench: &Bench, verdict: Verdict) -> TaskRecord {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    bench.clock.advance(secs(1));
    assert_eq!(worker.finish(claimed.claim, verdict).await, Settled::Committed);
    let kept = bench.task(id).await;
    assert_eq!((kept.worker, kept.fence), (None, 1));
    kept
}

fn counts(task: &TaskRecord) -> (u32, u32, u32) {
    (task.failures, task.crashes, task.interrupts)
}

fn finished(claim: Claim, verdict: Verdict) -> Finished {
    Finished { claim, verdict, notes: Notes::default() }
}

pub(super) async fn succeeded_ends_it_with_its_output(bench: Bench) {
    let kept = after(&bench, ok()).await;
    assert_eq!((kept.state, kept.output.as_deref()), (TaskState::Succeeded, Some(&b"\"ok\""[..])));
    assert_eq!((kept.finished_at, counts(&kept)), (Some(bench.now()), (0, 0, 0)));
    assert_eq!((kept.failure, kept.error), (None, None));
    assert!(bench.store.attempts(kept.id).await.unwrap().is_empty());
}

pub(super) async fn failed_ends_it_with_its_failure(bench: Bench) {
    let why = report("no such card");
    let error = Some(b"{\"code\":1}".to_vec());
    let verdict = Verdict::Failed { report: why.clone(), error: error.clone(), next: Follow::default() };
    let kept = after(&bench, verdict).await;
    assert_eq!((kept.state, kept.output), (TaskState::Failed, None));
    assert_eq!((kept.failure.as_ref(), kept.error), (Some(&why), error));
    assert_eq!((kept.finished_at, kept.failures, kept.interrupts), (Some(bench.now()), 1, 0));
    let attempts = bench.store.attempts(kept.id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].fence, attempts[0].at, &attempts[0].report), (1, bench.now(), &why));
}

pub(super) async fn cancelled_ends_it(bench: Bench) {
    let kept = after(&bench, cancelled(Follow::default())).await;
    assert_eq!((kept.state, kept.output, kept.failure.is_none()), (TaskState::Cancelled, None, true));
    assert_eq!((kept.finished_at, kept.failures), (Some(bench.now()), 0));
}

pub(super) async fn retry_puts_it_back_with_one_failure_more(bench: Bench) {
    let why = report("busy");
    let kept = after(&bench, Verdict::Retry { report: why.clone(), delay: secs(10) }).await;
    assert_eq!((kept.state, kept.run_at), (TaskState::Ready, bench.now().plus(secs(10))));
    assert_eq!((counts(&kept), kept.failure.as_ref(), kept.finished_at), ((1, 0, 0), Some(&why), None));
    let attempts = bench.store.attempts(kept.id).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].fence, &attempts[0].report), (1, 1, &why));
}

pub(super) async fn snoozed_puts_it_back_without_a_failure(bench: Bench) {
    let kept = after(&bench, snoozed(secs(10))).await;
    assert_eq!((kept.state, kept.run_at), (TaskState::Ready, bench.now().plus(secs(10))));
    assert_eq!((counts(&kept), kept.failure), ((0, 0, 1), None));
    assert!(bench.store.attempts(kept.id).await.unwrap().is_empty());
}

pub(super) async fn interrupted_puts_it_back_now(bench: Bench) {
    let kept = after(&bench, Verdict::Interrupted).await;
    assert_eq!((kept.state, kept.run_at), (TaskState::Ready, bench.now()));
    assert_eq!((counts(&kept), kept.failure), ((0, 0, 1), None));
}

pub(super) async fn parked_sets_it_aside_and_says_why(bench: Bench) {
    let kept = after(&bench, undecodable()).await;
    let why = (ParkReason::Undecodable, "the field `order` is missing".to_owned());
    assert_eq!((kept.state, kept.parked.as_ref()), (TaskState::Parked, Some(&why)));
    assert_eq!((counts(&kept), kept.finished_at), ((0, 0, 0), None));
}

pub(super) async fn a_claim_says_how_often_it_failed(bench: Bench) {
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    for failures in 0..4 {
        let claimed = worker.claim().await;
        assert_eq!((claimed.failures, claimed.crashes), (failures, 0));
        worker.finish(claimed.claim, retry(secs(0))).await;
    }
}

pub(super) async fn counters_only_grow(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let verdicts = [retry(secs(0)), snoozed(secs(0)), Verdict::Interrupted, retry(secs(0)), ok()];
    let expected = [(1, 0, 0), (1, 0, 1), (1, 0, 2), (2, 0, 2), (2, 0, 2)];
    for (verdict, expected) in verdicts.into_iter().zip(expected) {
        let claimed = worker.claim().await;
        worker.finish(claimed.claim, verdict).await;
        assert_eq!(counts(&bench.task(id).await), expected);
    }
    assert_eq!(bench.state(id).await, TaskState::Succeeded);
}

pub(super) async fn attempts_that_did_not_succeed_are_listed_in_order(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let retrying = |message: &str| Verdict::Retry { report: report(message), delay: secs(0) };
    let last = Verdict::Failed { report: report("third"), error: None, next: Follow::default() };
    for verdict in [retrying("first"), snoozed(secs(0)), retrying("second"), last] {
        let claimed = worker.claim().await;
        worker.finish(claimed.claim, verdict).await;
    }
    let attempts = bench.store.attempts(id).await.unwrap();
    let listed: Vec<_> = attempts.iter().map(|one| (one.fence, one.report.message.as_str())).collect();
    assert_eq!(listed, [(1, "first"), (3, "second"), (4, "third")]);
    let kept = bench.task(id).await;
    assert_eq!((kept.failure.unwrap().message.as_str(), kept.failures, kept.error), ("third", 3, None));
}

pub(super) async fn every_kind_of_failure_is_kept(bench: Bench) {
    let kinds = [
        FailureKind::Error,
        FailureKind::Timeout,
        FailureKind::Panic,
        FailureKind::Crash,
        FailureKind::Cancelled,
        FailureKind::Declared,
    ];
    let mut worker = bench.worker().await;
    for kind in kinds {
        let id = bench.add(send()).await;
        let claimed = worker.claim().await;
        let mut why = report("\u{1b}[31m\0 '\"<>\n");
        why.kind = kind;
        why.attempts = 7;
        worker
            .finish(claimed.claim, Verdict::Failed { report: why.clone(), error: None, next: Follow::default() })
            .await;
        assert_eq!(bench.task(id).await.failure, Some(why));
    }
}

pub(super) async fn answers_come_in_the_order_of_the_attempts(bench: Bench) {
    bench.store.dispatch(works([send(), send(), send()])).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(3);
    let claims: Vec<Claim> = worker.take(3).await.iter().map(|claimed| claimed.claim).collect();
    let lost = Claim { fence: 9, ..claims[1] };
    let settled =
        worker.settle(vec![finished(claims[2], ok()), finished(lost, ok()), finished(claims[0], ok())], 0).await;
    assert_eq!(settled, [Settled::Committed, Settled::Fenced, Settled::Committed]);
    assert_eq!(bench.state(claims[1].id).await, TaskState::Running);
}

pub(super) async fn one_answer_for_one_call(bench: Bench) {
    bench.store.dispatch(works([send(), send()])).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(2);
    let claims: Vec<Claim> = worker.take(2).await.iter().map(|claimed| claimed.claim).collect();
    bench.store.settle(worker.id, claims.iter().map(|&claim| finished(claim, ok())).collect(), Vec::new());
    match worker.delivery().await {
        Delivery::Settled(settled) => assert_eq!(settled.len(), 2),
        other => panic!("one answer for both: {other:?}"),
    }
}

pub(super) async fn nothing_ended_is_no_answer(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(1);
    let id = bench.add(send()).await;
    match worker.delivery().await {
        Delivery::Claimed(claimed) => assert_eq!(claimed[0].claim.id, id),
        other => panic!("there is nothing to answer: {other:?}"),
    }
}

pub(super) async fn an_attempt_ends_once(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let settled = worker.settle(vec![finished(claim, ok()), finished(claim, failed(then([send()])))], 0).await;
    assert_eq!(settled, [Settled::Committed, Settled::Fenced]);
    assert_eq!(worker.finish(claim, retry(secs(0))).await, Settled::Fenced);
    let kept = bench.task(id).await;
    assert_eq!((kept.state, kept.failures), (TaskState::Succeeded, 0));
    assert_eq!(bench.all_tasks().await.len(), 1);
}

pub(super) async fn a_task_that_is_not_there_is_fenced(bench: Bench) {
    let mut worker = bench.worker().await;
    let claim = Claim { id: send().id, fence: 1 };
    assert_eq!(worker.finish(claim, ok()).await, Settled::Fenced);
}

pub(super) async fn a_task_that_was_never_claimed_is_fenced(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    assert_eq!(worker.finish(Claim { id, fence: 0 }, ok()).await, Settled::Fenced);
    assert_eq!(bench.state(id).await, TaskState::Ready);
}

pub(super) async fn notes_are_kept_with_every_verdict(bench: Bench) {
    let mut worker = bench.worker().await;
    for verdict in every_verdict() {
        let id = bench.add(NewTask { queue: "noted".into(), ..send() }).await;
        worker.free_in("noted", 1);
        let claim = worker.next().await.claim;
        assert_eq!(claim.id, id);
        let lines = vec![line(&bench, claim, "almost"), line(&bench, claim, "there")];
        let notes = Notes { progress: Some((3, 4)), lines: lines.clone() };
        worker.settle(vec![Finished { claim, verdict, notes }], 0).await;
        assert_eq!(bench.store.log(id).await.unwrap(), lines);
        assert_eq!(bench.task(id).await.progress, Some((3, 4)));
        // Out of the way of the next.
        bench.cancel(id).await;
    }
}

fn line(bench: &Bench, claim: Claim, text: &str) -> LogLine {
    LogLine { at: bench.now(), fence: claim.fence, text: text.to_owned() }
}

pub(super) async fn a_lost_claim_keeps_no_notes(bench: Bench) {
    let id = bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let lost = Claim { fence: 2, ..claim };
    let notes = Notes { progress: Some((1, 1)), lines: vec![line(&bench, lost, "late")] };
    worker.settle(vec![Finished { claim: lost, verdict: ok(), notes }], 0).await;
    assert!(bench.store.log(id).await.unwrap().is_empty());
    assert_eq!(bench.task(id).await.progress, None);
}

pub(super) async fn a_thousand_at_once_all_end(bench: Bench) {
    bench.store.dispatch(works((0..1_000).map(|_| send()))).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(1_000);
    let claimed = worker.take(1_000).await;
    let settled = worker.settle(claimed.iter().map(|one| finished(one.claim, ok())).collect(), 0).await;
    assert!(settled.iter().all(|&one| one == Settled::Committed));
    assert!(bench.all_tasks().await.iter().all(|task| task.state == TaskState::Succeeded));
}

pub(super) async fn a_delay_beyond_time_never_comes(bench: Bench) {
    let kept = after(&bench, retry(std::time::Duration::MAX)).await;
    assert_eq!(kept.run_at, Timestamp::from_millis(i64::MAX));
}

pub(super) async fn ends_of_two_workers_do_not_mix(bench: Bench) {
    let mut workers: Vec<TestWorker> = vec![bench.worker().await, bench.worker().await];
    let mut claims = Vec::new();
    for worker in &mut workers {
        bench.add(send()).await;
        claims.push(worker.claim().await.claim);
    }
    for (worker, claim) in workers.iter_mut().zip(&claims) {
        bench.store.settle(worker.id, vec![finished(*claim, succeeded(Follow::default()))], Vec::new());
    }
    for (worker, claim) in workers.iter_mut().zip(&claims) {
        assert_eq!(worker.answer().await, (*claim, Settled::Committed));
    }
}
