//! Races: two who want to change the same thing at once. Both orders must be seen, or nothing was tested.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::id::{TaskId, WorkId, WorkerId};
use crate::store::{
    CancelOutcome, Claim, Dispatched, Finished, Follow, Got, NewTask, NewWork, Notes, Reply, RunState, Selection,
    Settled, SignalOutcome, Store, TaskState,
};

use super::bench::{Bench, Gate, asked, done, flow, on_threads, secs, send, step, succeeded, then, works};
use super::parts::{awaiting, payload};
use super::worker::TestWorker;

const ROUNDS: u32 = 1_000;

type Asked = Reply<Vec<(WorkId, CancelOutcome)>>;

/// Does two things at once, on two threads that start together. In turn, the one or the other is held back by a
/// little, and comes to the gate first: so either may win, on one core as on many.
async fn against<A: Send + 'static, B: Send + 'static>(
    round: u32,
    one: impl FnOnce() -> A + Send + 'static,
    other: impl FnOnce() -> B + Send + 'static,
) -> (A, B) {
    let gate = Arc::new(Gate::new(2));
    let hold_one = round.is_multiple_of(2);
    let held_back = 1_u32 << (round / 2 % 16);
    let start = |held: bool| {
        let gate = Arc::clone(&gate);
        move || {
            gate.pass();
            (0..if held { held_back } else { 0 }).for_each(|_| std::hint::spin_loop());
        }
    };
    let (start_one, start_other) = (start(hold_one), start(!hold_one));
    let one = move || {
        start_one();
        one()
    };
    let other = move || {
        start_other();
        other()
    };
    if hold_one {
        let first = spawn_blocking(one);
        let second = spawn_blocking(other).await.unwrap();
        (first.await.unwrap(), second)
    } else {
        let second = spawn_blocking(other);
        let first = spawn_blocking(one).await.unwrap();
        (first, second.await.unwrap())
    }
}

/// Ends an attempt and cancels work at once.
async fn race(
    store: &Arc<dyn Store>,
    round: u32,
    worker: WorkerId,
    finished: Finished,
    cancel: WorkId,
) -> CancelOutcome {
    let (settling, cancelling) = (Arc::clone(store), Arc::clone(store));
    let settle = move || settling.settle(worker, vec![finished], Vec::new());
    let cancel = move || -> Asked { asked(cancelling.cancel(Selection::Ids(vec![cancel]))) };
    let ((), reply) = against(round, settle, cancel).await;
    reply.await.unwrap()[0].1
}

fn both_orders_were_seen<O: Copy + Debug + Eq + Hash>(seen: &HashMap<O, u32>, outcomes: [O; 2]) {
    println!("{ROUNDS} races: {seen:?}");
    assert_eq!(seen.len(), 2, "no other outcome: {seen:?}");
    for outcome in outcomes {
        let count = seen.get(&outcome).copied().unwrap_or(0);
        assert!(count >= ROUNDS / 20, "{outcome:?} came {count} times in {ROUNDS}: this tested nothing");
    }
}

async fn first_step(bench: &Bench, worker: &mut TestWorker) -> (crate::id::RunId, Claim) {
    let run = bench.start(flow()).await;
    (run, worker.claim().await.claim)
}

pub(super) async fn a_cancel_of_a_run_against_its_next_step(bench: Bench) {
    let mut worker = bench.worker().await;
    let mut seen = HashMap::new();
    for round in 0..ROUNDS {
        let (run, claim) = first_step(&bench, &mut worker).await;
        let next = step(run, "two");
        let next_id: TaskId = next.id;
        let finished = Finished { claim, verdict: succeeded(then([next])), notes: Notes::default() };
        let outcome = race(&bench.store, round, worker.id, finished, run.into()).await;
        assert_eq!(worker.answer().await, (claim, Settled::Committed), "a cancel takes nobody's claim");
        let after = bench.find(next_id).await;
        match outcome {
            // The step ended first: the cancel found its continuation, and ended it.
            CancelOutcome::Cancelled => assert_eq!(after.unwrap().state, TaskState::Cancelled),
            // The cancel came first: nothing followed.
            CancelOutcome::Requested => assert_eq!(after, None),
            other => panic!("a live run answered {other:?}"),
        }
        let ended = bench.run(run).await;
        assert_eq!((ended.state, ended.open_tasks), (RunState::Cancelled, 0));
        *seen.entry(outcome).or_insert(0) += 1;
    }
    both_orders_were_seen(&seen, [CancelOutcome::Cancelled, CancelOutcome::Requested]);
}

pub(super) async fn a_cancel_of_a_run_against_its_last_step(bench: Bench) {
    let mut worker = bench.worker().await;
    let mut seen = HashMap::new();
    for round in 0..ROUNDS {
        let (run, claim) = first_step(&bench, &mut worker).await;
        let finished = Finished { claim, verdict: succeeded(done("1")), notes: Notes::default() };
        let outcome = race(&bench.store, round, worker.id, finished, run.into()).await;
        assert_eq!(worker.answer().await, (claim, Settled::Committed));
        let ended = bench.run(run).await;
        match outcome {
            CancelOutcome::AlreadyFinished => assert_eq!(ended.state, RunState::Succeeded),
            CancelOutcome::Requested => assert_eq!((ended.state, ended.output), (RunState::Cancelled, None)),
            other => panic!("a run with one running step answered {other:?}"),
        }
        *seen.entry(outcome).or_insert(0) += 1;
    }
    both_orders_were_seen(&seen, [CancelOutcome::AlreadyFinished, CancelOutcome::Requested]);
}

pub(super) async fn a_cancel_of_a_task_against_its_retry(bench: Bench) {
    let mut worker = bench.worker().await;
    let mut seen = HashMap::new();
    for round in 0..ROUNDS {
        let id = bench.add(send()).await;
        let claim = worker.claim().await.claim;
        let finished = Finished { claim, verdict: super::bench::retry(secs(9)), notes: Notes::default() };
        let outcome = race(&bench.store, round, worker.id, finished, id.into()).await;
        assert_eq!(worker.answer().await, (claim, Settled::Committed));
        assert!(matches!(outcome, CancelOutcome::Cancelled | CancelOutcome::Requested), "{outcome:?}");
        let kept = bench.task(id).await;
        assert_eq!((kept.state, kept.failures), (TaskState::Cancelled, 1), "it ends in either order");
        *seen.entry(outcome).or_insert(0) += 1;
    }
    both_orders_were_seen(&seen, [CancelOutcome::Cancelled, CancelOutcome::Requested]);
}

pub(super) async fn a_signal_against_its_time_out(bench: Bench) {
    let mut worker = bench.worker().await;
    let mut seen = HashMap::new();
    for round in 0..ROUNDS {
        let (run, claim) = first_step(&bench, &mut worker).await;
        let waits = NewTask { delay: secs(9), ..awaiting(run, "two") };
        worker.finish(claim, succeeded(then([waits]))).await;
        let (store, clock) = (Arc::clone(&bench.store), bench.clock.clone());
        let signal = move || asked(store.signal(run, "two".to_owned(), &[], b"1".to_vec()));
        let (reply, ()) = against(round, signal, move || clock.advance(secs(9))).await;
        let outcome = reply.await.unwrap();
        let claimed = worker.claim().await;
        match outcome {
            SignalOutcome::Delivered => assert_eq!((claimed.got, payload(&claimed)), (Some(Got::Signal), "1")),
            SignalOutcome::Kept => assert_eq!((claimed.got, payload(&claimed)), (Some(Got::Nothing), "{}")),
            other => panic!("a live run answered {other:?}"),
        }
        worker.finish(claimed.claim, succeeded(done("1"))).await;
        assert_eq!(bench.run_state(run).await, RunState::Succeeded);
        *seen.entry(outcome).or_insert(0) += 1;
    }
    both_orders_were_seen(&seen, [SignalOutcome::Delivered, SignalOutcome::Kept]);
}

pub(super) async fn a_signal_against_the_step_that_waits_for_it(bench: Bench) {
    let mut worker = bench.worker().await;
    let mut seen = HashMap::new();
    for round in 0..ROUNDS {
        let (run, claim) = first_step(&bench, &mut worker).await;
        let finished = Finished { claim, verdict: succeeded(then([awaiting(run, "two")])), notes: Notes::default() };
        let (signalling, settling, id) = (Arc::clone(&bench.store), Arc::clone(&bench.store), worker.id);
        let signal = move || asked(signalling.signal(run, "two".to_owned(), &[], b"1".to_vec()));
        let settle = move || settling.settle(id, vec![finished], Vec::new());
        let (reply, ()) = against(round, signal, settle).await;
        let outcome = reply.await.unwrap();
        assert_eq!(worker.answer().await, (claim, Settled::Committed));
        let claimed = worker.claim().await;
        assert_eq!((claimed.got, payload(&claimed)), (Some(Got::Signal), "1"), "in either order");
        worker.finish(claimed.claim, succeeded(done("1"))).await;
        *seen.entry(outcome).or_insert(0) += 1;
    }
    both_orders_were_seen(&seen, [SignalOutcome::Delivered, SignalOutcome::Kept]);
}

pub(super) async fn a_sign_of_life_against_a_reclaim(bench: Bench) {
    for _ in 0..200 {
        let mut worker = bench.worker().await;
        bench.add(send()).await;
        let claim = worker.claim().await.claim;
        let peer = worker.peer().await;
        let (store, id) = (bench.store.clone(), worker.id);
        let answers = on_threads(2, move |thread| {
            let (store, peer) = (store.clone(), peer.clone());
            async move {
                if thread == 0 {
                    store.beat(id).await.unwrap() != crate::store::Beat::Lapsed
                } else {
                    store.reclaim(vec![peer]).await.unwrap().is_empty()
                }
            }
        })
        .await;
        // Either the beat came first and the claim holds, or the worker is gone and says so.
        assert_eq!(answers[0], answers[1]);
        let kept = bench.task(claim.id).await;
        let expected = if answers[0] { TaskState::Running } else { TaskState::Ready };
        assert_eq!(kept.state, expected);
        bench.cancel(claim.id).await;
        worker.retire().await;
    }
}

pub(super) async fn two_ends_of_one_claim_at_once(bench: Bench) {
    let mut workers = [bench.worker().await, bench.worker().await];
    for _ in 0..200 {
        bench.add(send()).await;
        let claim = workers[0].claim().await.claim;
        let (store, ids) = (bench.store.clone(), [workers[0].id, workers[1].id]);
        on_threads(2, move |thread| {
            let next = then([crate::store::NewTask { queue: "after".into(), ..send() }]);
            let end = Finished { claim, verdict: succeeded(next), notes: Notes::default() };
            store.settle(ids[thread], vec![end], Vec::new());
            std::future::ready(())
        })
        .await;
        let mut committed = 0;
        for worker in &mut workers {
            committed += usize::from(worker.answer().await.1 == Settled::Committed);
        }
        assert_eq!(committed, 1);
    }
    assert_eq!(bench.all_tasks().await.len(), 400, "one follows each");
}

pub(super) async fn chains_on_four_workers_lose_and_double_nothing(bench: Bench) {
    const RUNS: usize = 100;
    const WORKERS: usize = 4;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(bench.worker().await);
    }
    let slots = std::sync::Mutex::new(workers.into_iter().map(Some).collect::<Vec<_>>());
    let (store, slots) = (bench.store.clone(), Arc::new(slots));
    let over = Arc::new(tokio::sync::Semaphore::new(0));
    let ended = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let dispatched: Vec<Vec<Dispatched>> = on_threads(WORKERS + 1, move |thread| {
        let (store, over, ended) = (store.clone(), Arc::clone(&over), Arc::clone(&ended));
        let worker = slots.lock().unwrap().get_mut(thread).and_then(Option::take);
        async move {
            let Some(mut worker) = worker else {
                let mut runs = Vec::with_capacity(RUNS);
                for _ in 0..RUNS {
                    runs.extend(store.dispatch(vec![NewWork::Run(Box::new(flow()))]).await.unwrap());
                }
                return runs;
            };
            worker.free(3);
            loop {
                let claimed = tokio::select! {
                    claimed = worker.next() => claimed,
                    _ = over.acquire() => return Vec::new(),
                };
                let of = claimed.of.unwrap();
                let next = match of.step.as_deref() {
                    Some("one") => then([step(of.run, "two")]),
                    Some("two") => then([step(of.run, "three"), step(of.run, "three")]),
                    _ => done("1"),
                };
                let last = next.work.is_empty();
                assert_eq!(worker.finish_and_free(claimed.claim, succeeded(next)).await, Settled::Committed);
                if last && ended.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == RUNS * 2 {
                    over.close();
                }
            }
        }
    })
    .await;
    for one in dispatched.into_iter().flatten() {
        let WorkId::Run(run) = one.id else { panic!("a run was dispatched") };
        assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    }
    let tasks = bench.all_tasks().await;
    assert_eq!(tasks.len(), RUNS * 4);
    assert!(tasks.iter().all(|task| task.state == TaskState::Succeeded && task.fence == 1));
}

pub(super) async fn dispatches_from_everywhere_are_all_claimed(bench: Bench) {
    const EACH: usize = 250;
    let mut worker = bench.worker().await;
    worker.free(u32::try_from(EACH * 4).unwrap());
    let store = bench.store.clone();
    on_threads(4, move |_| {
        let store = store.clone();
        async move {
            for _ in 0..EACH {
                store.dispatch(works([send()])).await.unwrap();
            }
        }
    })
    .await;
    let claimed = worker.take(EACH * 4).await;
    worker.quiet().await;
    let finished = claimed.iter().map(|one| Finished {
        claim: one.claim,
        verdict: succeeded(Follow::default()),
        notes: Notes::default(),
    });
    let settled = worker.settle(finished.collect(), 0).await;
    assert!(settled.iter().all(|&one| one == Settled::Committed));
}
