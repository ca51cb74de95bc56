//! What happens when a key is taken, as the dispatch said.

use std::collections::HashSet;
use std::sync::Arc;

use crate::id::WorkId;
use crate::store::{NewRun, NewTask, NewWork, OnKey, RunState, StoreError, TaskState, Wait};

use super::bench::{Bench, done, flow, ok, on_threads, secs, send, step, succeeded, task, then, works};
use super::claim::ids;
use super::terms::{keyed, queued, slotted, within};

fn run_keyed(policy: OnKey) -> NewRun {
    NewRun { key: Some("k".to_owned()), on_key: policy, ..flow() }
}

fn one(run: NewRun) -> Vec<NewWork> {
    vec![NewWork::Run(Box::new(run))]
}

pub(super) async fn what_waits_is_replaced(bench: Bench) {
    let id = bench.add(keyed("k", OnKey::Return, send())).await;
    let added_at = bench.now();
    bench.clock.advance(secs(5));
    let new = NewTask {
        payload: b"[2]".to_vec(),
        priority: 7,
        delay: secs(9),
        correlation: Some("c".to_owned()),
        ..queued("mail", keyed("k", OnKey::Replace, send()))
    };
    let answer = bench.offer(vec![within(secs(1), new)]).await.unwrap();
    assert_eq!((answer[0].id, answer[0].existing), (id.into(), true));
    let kept = bench.task(id).await;
    assert_eq!((kept.state, &kept.payload[..], kept.priority), (TaskState::Ready, &b"[2]"[..], 7));
    assert_eq!((kept.queue.as_str(), kept.correlation.as_deref()), ("mail", Some("c")));
    assert_eq!((kept.run_at, kept.created_at), (bench.later(secs(9)), added_at));
    assert_eq!((kept.deadline, kept.key.as_deref()), (Some(bench.later(secs(10))), Some("k")));
    assert_eq!(bench.all_tasks().await.len(), 1);
    let mut worker = bench.worker().await;
    worker.free(1);
    worker.free_in("mail", 1);
    worker.quiet().await;
    bench.clock.advance(secs(9));
    assert_eq!(worker.next().await.payload, b"[2]");
}

pub(super) async fn each_replacement_puts_it_off(bench: Bench) {
    let mut worker = bench.worker().await;
    worker.free(1);
    for number in 0..5 {
        let payload = number.to_string().into_bytes();
        let task = NewTask { delay: secs(3), payload, ..keyed("k", OnKey::Replace, send()) };
        bench.offer(vec![task]).await.unwrap();
        bench.clock.advance(secs(2));
        worker.quiet().await;
    }
    bench.clock.advance(secs(1));
    assert_eq!(worker.next().await.payload, b"4");
    worker.quiet().await;
}

pub(super) async fn what_was_claimed_is_not_replaced(bench: Bench) {
    let id = bench.add(keyed("k", OnKey::Replace, send())).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let again = || NewTask { payload: b"[2]".to_vec(), ..keyed("k", OnKey::Replace, send()) };
    for verdict in [super::bench::snoozed(secs(50)), ok()] {
        let answer = bench.offer(vec![again()]).await.unwrap();
        assert_eq!((answer[0].id, answer[0].existing), (id.into(), true));
        assert_eq!(bench.task(id).await.payload, b"{}");
        worker.finish(claim, verdict).await;
        if bench.state(id).await == TaskState::Ready {
            bench.offer(vec![again()]).await.unwrap();
            assert_eq!(bench.task(id).await.payload, b"{}", "it was claimed before");
            return;
        }
    }
}

pub(super) async fn what_is_to_be_cancelled_is_not_replaced(bench: Bench) {
    let id = bench.add(NewTask { cancel_routed: true, ..keyed("k", OnKey::Return, send()) }).await;
    bench.cancel(id).await;
    bench.offer(vec![NewTask { payload: b"[2]".to_vec(), ..keyed("k", OnKey::Replace, send()) }]).await.unwrap();
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    assert_eq!((claimed.cancelled, &claimed.payload[..]), (true, &b"{}"[..]));
}

pub(super) async fn what_is_replaced_keeps_its_place(bench: Bench) {
    let first = bench.add(keyed("k", OnKey::Return, send())).await;
    let second = bench.add(send()).await;
    bench.offer(vec![keyed("k", OnKey::Replace, send())]).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(2);
    assert_eq!(ids(&worker.take(2).await), [first, second]);
}

pub(super) async fn a_higher_priority_moves_what_is_replaced(bench: Bench) {
    let first = bench.add(send()).await;
    let second = bench.add(keyed("k", OnKey::Return, send())).await;
    bench.offer(vec![NewTask { priority: 1, ..keyed("k", OnKey::Replace, send()) }]).await.unwrap();
    let mut worker = bench.worker().await;
    worker.free(2);
    assert_eq!(ids(&worker.take(2).await), [second, first]);
}

pub(super) async fn what_waits_for_a_slot_is_replaced(bench: Bench) {
    bench.add(slotted("b", 1, send())).await;
    let id = bench.add(slotted("b", 1, keyed("k", OnKey::Return, send()))).await;
    let mut worker = bench.worker().await;
    worker.free(2);
    worker.next().await;
    worker.quiet().await;
    assert_eq!(bench.task(id).await.wait, Some(Wait::Slot));
    bench.offer(vec![NewTask { payload: b"[2]".to_vec(), ..keyed("k", OnKey::Replace, send()) }]).await.unwrap();
    let claimed = worker.next().await;
    assert_eq!((claimed.claim.id, &claimed.payload[..]), (id, &b"[2]"[..]), "the new one has no limit");
}

pub(super) async fn a_refused_key_is_an_error_and_nothing_is_added(bench: Bench) {
    let id = bench.add(keyed("k", OnKey::Return, send())).await;
    let answer = bench.offer(vec![send(), keyed("k", OnKey::Refuse, send()), send()]).await;
    let taken = StoreError::KeyTaken { name: "send".to_owned(), key: "k".to_owned(), id: id.into() };
    assert_eq!(answer, Err(taken.clone()));
    assert!(!taken.is_transient());
    assert_eq!(bench.all_tasks().await.len(), 1);
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, ok()).await;
    assert_eq!(bench.offer(vec![keyed("k", OnKey::Refuse, send())]).await, Err(taken), "ended or not");
    bench.add(keyed("other", OnKey::Refuse, send())).await;
    bench.add(keyed("k", OnKey::Refuse, task("charge"))).await;
}

pub(super) async fn two_in_one_call_are_refused(bench: Bench) {
    let tasks = vec![keyed("k", OnKey::Refuse, send()), keyed("k", OnKey::Refuse, send())];
    let first = tasks[0].id;
    let answer = bench.offer(tasks).await;
    assert!(matches!(answer, Err(StoreError::KeyTaken { id, .. }) if id == first.into()), "{answer:?}");
    assert_eq!(bench.all_tasks().await.len(), 0);
}

pub(super) async fn the_same_work_again_is_no_error(bench: Bench) {
    for policy in [OnKey::Return, OnKey::Replace, OnKey::Refuse, OnKey::Renew(secs(0))] {
        let task = keyed(&format!("{policy:?}"), policy, send());
        bench.add(task.clone()).await;
        let again = NewTask { payload: b"[2]".to_vec(), ..task.clone() };
        let answer = bench.offer(vec![again]).await.unwrap();
        assert_eq!((answer[0].id, answer[0].existing), (task.id.into(), true), "{policy:?}");
        assert_eq!(bench.task(task.id).await.payload, b"{}");
    }
}

pub(super) async fn a_refused_key_of_what_follows_leaves_it_out(bench: Bench) {
    bench.add(queued("other", keyed("k", OnKey::Return, task("ship")))).await;
    bench.add(send()).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let next = [keyed("k", OnKey::Refuse, task("ship")), task("charge")];
    worker.finish_and_free(claim, succeeded(then(next))).await;
    assert_eq!(worker.next().await.name, "charge");
    assert_eq!(bench.all_tasks().await.len(), 3);
}

pub(super) async fn a_renewed_key_is_new_after_its_window(bench: Bench) {
    let old = bench.add(keyed("k", OnKey::Return, send())).await;
    bench.clock.advance(secs(9));
    let answer = bench.offer(vec![keyed("k", OnKey::Renew(secs(10)), send())]).await.unwrap();
    assert_eq!((answer[0].id, answer[0].existing), (old.into(), true));
    bench.clock.advance(secs(1));
    let new = bench.add(keyed("k", OnKey::Renew(secs(10)), send())).await;
    assert_eq!((bench.task(old).await.key, bench.task(new).await.key.as_deref()), (None, Some("k")));
    let answer = bench.offer(vec![keyed("k", OnKey::Return, send())]).await.unwrap();
    assert_eq!((answer[0].id, answer[0].existing), (new.into(), true), "its window has begun");
}

pub(super) async fn a_key_is_renewed_while_the_old_work_runs(bench: Bench) {
    let old = bench.add(keyed("k", OnKey::Return, send())).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    bench.clock.advance(secs(10));
    let new = bench.add(keyed("k", OnKey::Renew(secs(10)), send())).await;
    worker.finish(claim, ok()).await;
    assert_eq!((bench.state(old).await, bench.state(new).await), (TaskState::Succeeded, TaskState::Ready));
}

pub(super) async fn a_run_that_has_not_begun_is_replaced(bench: Bench) {
    let old = run_keyed(OnKey::Return);
    let (id, first) = (old.id, old.first.id);
    bench.start(old).await;
    let mut new = NewRun {
        input: b"[2]".to_vec(),
        output: Some(b"7".to_vec()),
        version: 9,
        fingerprint: 5,
        timeout: Some(secs(60)),
        correlation: Some("c".to_owned()),
        ..run_keyed(OnKey::Replace)
    };
    new.first = NewTask { payload: b"[3]".to_vec(), ..step(new.id, "two") };
    let answer = bench.store.dispatch(one(new)).await.unwrap();
    assert_eq!((answer[0].id, answer[0].existing), (id.into(), true));
    let kept = bench.run(id).await;
    assert_eq!((&kept.input[..], kept.output.as_deref()), (&b"[2]"[..], Some(&b"7"[..])));
    assert_eq!((kept.version, kept.fingerprint, kept.open_tasks), (9, 5, 1));
    assert_eq!((kept.deadline, kept.correlation.as_deref()), (Some(bench.later(secs(60))), Some("c")));
    let mut worker = bench.worker().await;
    let claimed = worker.claim().await;
    assert_eq!((claimed.claim.id, &claimed.payload[..]), (first, &b"[3]"[..]));
    assert_eq!(claimed.of.and_then(|of| of.step).as_deref(), Some("two"));
    assert_eq!(bench.all_tasks().await.len(), 1);
}

pub(super) async fn a_run_that_has_begun_is_not_replaced(bench: Bench) {
    let id = bench.start(run_keyed(OnKey::Return)).await;
    let mut worker = bench.worker().await;
    let claim = worker.claim().await.claim;
    let again = || one(NewRun { input: b"[2]".to_vec(), ..run_keyed(OnKey::Replace) });
    let answer = bench.store.dispatch(again()).await.unwrap();
    assert_eq!((answer[0].id, answer[0].existing), (id.into(), true));
    worker.finish(claim, succeeded(done("1"))).await;
    bench.store.dispatch(again()).await.unwrap();
    let kept = bench.run(id).await;
    assert_eq!((kept.state, &kept.input[..]), (RunState::Succeeded, &b"{\"order\":7}"[..]));
}

pub(super) async fn the_time_of_a_run_that_was_replaced_is_the_new_one(bench: Bench) {
    let old = NewRun { timeout: Some(secs(10)), ..run_keyed(OnKey::Return) };
    let id = bench.start(old).await;
    bench.store.dispatch(one(run_keyed(OnKey::Replace))).await.unwrap();
    bench.clock.advance(secs(20));
    assert_eq!(bench.store.expire_runs().await, Ok(Vec::new()));
    bench.store.dispatch(one(NewRun { timeout: Some(secs(5)), ..run_keyed(OnKey::Replace) })).await.unwrap();
    bench.clock.advance(secs(5));
    assert_eq!(bench.store.expire_runs().await, Ok(vec![id]));
}

pub(super) async fn the_key_of_a_run_is_refused(bench: Bench) {
    let id = bench.start(run_keyed(OnKey::Return)).await;
    let answer = bench.store.dispatch(one(run_keyed(OnKey::Refuse))).await;
    let taken = StoreError::KeyTaken { name: "flow".to_owned(), key: "k".to_owned(), id: id.into() };
    assert_eq!(answer, Err(taken));
    assert_eq!(bench.all_tasks().await.len(), 1);
}

pub(super) async fn the_key_of_a_run_is_renewed(bench: Bench) {
    let old = bench.start(run_keyed(OnKey::Return)).await;
    bench.clock.advance(secs(10));
    let new = bench.start(run_keyed(OnKey::Renew(secs(10)))).await;
    assert_eq!((bench.run(old).await.key, bench.run(new).await.key.as_deref()), (None, Some("k")));
    let mut worker = bench.worker().await;
    worker.free(2);
    assert_eq!(worker.take(2).await.len(), 2, "both run");
}

pub(super) async fn a_thousand_at_once_of_one_key_are_one_with_each_policy(bench: Bench) {
    for policy in [OnKey::Return, OnKey::Replace, OnKey::Refuse, OnKey::Renew(secs(60))] {
        let key = format!("{policy:?}");
        let (store, shared) = (Arc::clone(&bench.store), key.clone());
        let answers = on_threads(8, move |_| {
            let (store, key) = (Arc::clone(&store), shared.clone());
            async move {
                let asked = (0..125).map(|_| store.dispatch(works([keyed(&key, policy, send())])));
                let asked: Vec<_> = asked.map(tokio::spawn).collect();
                let mut answers = Vec::new();
                for reply in asked {
                    answers.push(reply.await.unwrap());
                }
                answers
            }
        })
        .await;
        let (mut new, mut holders) = (0, HashSet::<WorkId>::new());
        for answer in answers.into_iter().flatten() {
            match answer {
                Ok(dispatched) => {
                    new += usize::from(!dispatched[0].existing);
                    holders.insert(dispatched[0].id);
                }
                Err(StoreError::KeyTaken { id, .. }) => {
                    assert_eq!(policy, OnKey::Refuse);
                    holders.insert(id);
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((new, holders.len()), (1, 1), "{policy:?}");
        let tasks = bench.all_tasks().await;
        assert_eq!(tasks.iter().filter(|task| task.key.as_deref() == Some(&*key)).count(), 1);
    }
}
