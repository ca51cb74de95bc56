//! Joins whose members are items, and joins under many hands.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::failure::FailureReport;
use crate::id::RunId;
use crate::store::{
    Arrival, Claimed, Finished, Follow, Got, Known, Member, NewEach, NewTask, NewWork, Notes, RunState, Settled, Wait,
};

use super::bench::{Bench, done, failed, knowing, on_threads, step, succeeded, then};
use super::parts::{Join, begun, each, easy, for_each, gave, join, led_to, payload};
use super::worker::TestWorker;

/// A run with a step for each item, all claimed, and the join of the items with the step `three`.
async fn items(bench: &Bench, items: usize) -> (RunId, TestWorker, Vec<Claimed>, Join) {
    let (run, mut worker) = led_to(bench, easy(), |run| {
        let mut next = for_each(each(run, "two", items, None));
        next.work.extend(then([step(run, "three")]).work);
        next
    })
    .await;
    worker.free(u32::try_from(items).unwrap() + 1);
    let claimed = worker.take(items + 1).await;
    (run, worker, claimed, join(run, &["two", "three"]).each(0))
}

pub(super) async fn items_bring_their_outputs_in_their_order(bench: Bench) {
    let (_, mut worker, claimed, both) = items(&bench, 4).await;
    worker.finish(claimed[4].claim, gave("\"x\"", both.at(1))).await;
    for (index, json) in [(2, "\"c\""), (0, "\"a\""), (3, "\"d\"")] {
        worker.finish(claimed[index].claim, gave(json, both.at(0))).await;
        assert_eq!(bench.find(both.then.id).await, None, "not before all of them have ended");
    }
    worker.finish_and_free(claimed[1].claim, gave("\"b\"", both.at(0))).await;
    let joined = worker.next().await;
    assert_eq!((payload(&joined), joined.got), ("[[\"a\",\"b\",\"c\",\"d\"],\"x\"]", Some(Got::Join)));
}

pub(super) async fn items_with_a_limit_bring_all_their_outputs(bench: Bench) {
    let run = easy();
    let all = join(run.id, &["two"]).each(0);
    let group = each(run.id, "two", 5, Some(2));
    let (_, mut worker) = led_to(&bench, run, |_| for_each(group)).await;
    worker.free(3);
    for index in 0..5 {
        assert_eq!(bench.find(all.then.id).await, None, "some still wait for their turn");
        let claimed = worker.next().await;
        worker.finish_and_free(claimed.claim, gave(&format!("{index}"), all.at(0))).await;
    }
    assert_eq!(payload(&worker.next().await), "[[0,1,2,3,4]]");
}

pub(super) async fn an_item_that_failed_brings_nothing(bench: Bench) {
    let (_, mut worker, claimed, both) = items(&bench, 3).await;
    worker.finish(claimed[3].claim, gave("\"x\"", both.at(1))).await;
    worker.finish(claimed[1].claim, failed(Follow::default())).await;
    worker.finish(claimed[0].claim, gave("0", both.at(0))).await;
    worker.finish_and_free(claimed[2].claim, gave("2", both.at(0))).await;
    assert_eq!(payload(&worker.next().await), "[[0,2],\"x\"]");
}

pub(super) async fn settled_items_bring_their_failures(bench: Bench) {
    let (_, mut worker, claimed, both) = items(&bench, 3).await;
    let both = both.settled();
    worker.finish(claimed[3].claim, gave("\"x\"", both.at(1))).await;
    worker.finish(claimed[2].claim, gave("2", both.at(0))).await;
    worker.finish(claimed[0].claim, super::bench::cancelled(both.at(0))).await;
    worker.finish_and_free(claimed[1].claim, failed(both.at(0))).await;
    let joined = worker.next().await;
    let (outcomes, _): (Vec<Result<u8, FailureReport>>, Result<String, FailureReport>) =
        serde_json::from_slice(&joined.payload).unwrap();
    assert_eq!(outcomes[0].as_ref().unwrap_err().message, "cancelled");
    assert_eq!(outcomes[1].as_ref().unwrap_err().message, "no");
    assert_eq!((outcomes[2].as_ref(), outcomes.len()), (Ok(&2), 3));
}

pub(super) async fn the_last_item_arrives_for_all(bench: Bench) {
    let (run, mut worker, claimed, both) = items(&bench, 2).await;
    worker.finish(claimed[2].claim, gave("\"x\"", both.at(1))).await;
    worker.finish(claimed[0].claim, gave("0", both.at(0))).await;
    // The last one has nothing to say: nobody arrives.
    worker.finish(claimed[1].claim, failed(Follow::default())).await;
    assert_eq!(bench.find(both.then.id).await, None);
    assert_eq!(bench.run(run).await.failure.unwrap().message, "the join `gather` was never complete");
}

pub(super) async fn no_items_arrive_at_once(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let both = join(run, &["two", "three"]).each(0);
    let none = NewEach { arrival: Some(both.arrival(0)), ..each(run, "two", 0, None) };
    let next = Follow { work: vec![NewWork::Each(none), NewWork::Task(step(run, "three"))], ..Follow::default() };
    worker.finish_and_free(claim, succeeded(next)).await;
    assert_eq!(bench.find(both.then.id).await, None);
    let claim = worker.next().await.claim;
    worker.finish_and_free(claim, gave("3", both.at(1))).await;
    assert_eq!(payload(&worker.next().await), "[[],3]");
}

pub(super) async fn no_items_may_be_all(bench: Bench) {
    for settled in [false, true] {
        let (run, mut worker, claim) = begun(&bench, easy()).await;
        let all = Join { settled, ..join(run, &["two"]).each(0) };
        let none = NewEach { arrival: Some(all.arrival(0)), ..each(run, "two", 0, Some(2)) };
        worker.finish_and_free(claim, succeeded(for_each(none))).await;
        let joined = worker.next().await;
        assert_eq!((payload(&joined), joined.claim.id), ("[[]]", all.then.id));
        worker.finish(joined.claim, succeeded(done("1"))).await;
        assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    }
}

pub(super) async fn items_that_are_there_do_not_arrive(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let all = join(run, &["two"]).each(0);
    let some = NewEach { arrival: Some(all.arrival(0)), ..each(run, "two", 1, None) };
    worker.finish_and_free(claim, succeeded(for_each(some))).await;
    let claimed = worker.next().await;
    assert_eq!(bench.find(all.then.id).await, None);
    worker.finish_and_free(claimed.claim, gave("0", all.at(0))).await;
    assert_eq!(payload(&worker.next().await), "[[0]]");
}

pub(super) async fn the_items_of_the_last_round_count(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let mut claim = claim;
    for round in 1..4_usize {
        let all = join(run, &["two"]).each(0);
        worker.finish(claim, succeeded(for_each(each(run, "two", round, None)))).await;
        for index in 0..round {
            let item = worker.claim().await.claim;
            worker.finish(item, gave(&format!("{}", round * 10 + index), all.at(0))).await;
        }
        let joined = worker.claim().await;
        let expected: Vec<usize> = (0..round).map(|index| round * 10 + index).collect();
        assert_eq!(payload(&joined), serde_json::to_string(&[expected]).unwrap());
        claim = joined.claim;
    }
    worker.finish(claim, succeeded(done("1"))).await;
}

pub(super) async fn an_item_may_be_a_member_of_its_own(bench: Bench) {
    let (_, mut worker, claimed, _) = items(&bench, 3).await;
    let run = claimed[0].of.as_ref().unwrap().run;
    // The join takes the last output of the step, and no array; the last item still arrives for all.
    let both = join(run, &["two", "three"]);
    worker.finish(claimed[3].claim, gave("\"x\"", both.at(1))).await;
    for index in [2, 0, 1] {
        assert_eq!(bench.find(both.then.id).await, None);
        worker.finish(claimed[index].claim, gave(&index.to_string(), both.at(0))).await;
    }
    assert_eq!(bench.task(both.then.id).await.payload, b"[2,\"x\"]");
}

pub(super) async fn two_each_of_one_join(bench: Bench) {
    let run = easy();
    let both = join(run.id, &["two", "three"]).each(0).each(1);
    let work = vec![NewWork::Each(each(run.id, "two", 2, None)), NewWork::Each(each(run.id, "three", 3, Some(1)))];
    let (_, mut worker) = led_to(&bench, run, |_| Follow { work, ..Follow::default() }).await;
    worker.free(3);
    for index in 0..5 {
        let claimed = worker.next().await;
        let member = u32::from(claimed.of.as_ref().unwrap().step.as_deref() == Some("three"));
        worker.finish_and_free(claimed.claim, gave(&index.to_string(), both.at(member))).await;
    }
    assert_eq!(payload(&worker.next().await), "[[0,1],[2,3,4]]");
}

pub(super) async fn a_join_in_a_held_run_waits(bench: Bench) {
    let (run, mut worker, claimed, both) = items(&bench, 1).await;
    bench.pause(run).await;
    worker.finish(claimed[0].claim, gave("0", both.at(0))).await;
    worker.finish_and_free(claimed[1].claim, gave("1", both.at(1))).await;
    worker.quiet().await;
    let kept = bench.task(both.then.id).await;
    assert_eq!((kept.wait, kept.payload), (Some(Wait::Pause), b"[[0],1]".to_vec()));
    bench.resume(run).await;
    let joined = worker.next().await;
    assert_eq!((joined.got, payload(&joined)), (Some(Got::Join), "[[0],1]"));
}

const BRANCHES: [&str; 8] = ["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"];

fn knows_branches() -> Known {
    knowing(&["flow"], &["one", "b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "gather"])
}

/// What a branch of a run brings: its own, so that a mix of runs or places shows.
fn brought(run: RunId, member: usize) -> String {
    format!("\"{run}/{member}\"")
}

fn arrives(run: RunId, member: usize) -> Follow {
    let members = BRANCHES.iter().map(|&step| Member { step: step.into(), was: &[], each: false }).collect();
    let then = NewTask { id: crate::id::derive(run.uuid(), "gather", member).into(), ..step(run, "gather") };
    let member = u32::try_from(member).unwrap();
    let arrival = Arrival { join: "gather".into(), member, members, settled: false, then };
    Follow { arrival: Some(arrival), ..Follow::default() }
}

/// Plays a worker until `over` is closed: branches arrive, joined tasks are counted and end their runs.
async fn plays(mut worker: TestWorker, joined: Arc<Mutex<HashMap<RunId, u32>>>, over: Arc<tokio::sync::Semaphore>) {
    worker.free(12);
    loop {
        let mut claimed = tokio::select! {
            claimed = worker.next() => vec![claimed],
            _ = over.acquire() => return,
        };
        // Now and then two end in one call.
        if claimed[0].claim.id.uuid().as_u128().is_multiple_of(3)
            && let Ok(another) = tokio::time::timeout(Duration::ZERO, worker.next()).await
        {
            claimed.push(another);
        }
        let end = |one: &Claimed| {
            let of = one.of.as_ref().expect("a step");
            let member = BRANCHES.iter().position(|&name| of.step.as_deref() == Some(name));
            let verdict = match member {
                Some(member) => gave(&brought(of.run, member), arrives(of.run, member)),
                None if of.step.as_deref() == Some("one") => {
                    succeeded(then(BRANCHES.iter().map(|&name| step(of.run, name))))
                }
                None => {
                    let expected: Vec<String> = (0..8).map(|member| brought(of.run, member)).collect();
                    assert_eq!(payload(one), format!("[{}]", expected.join(",")));
                    assert_eq!(one.got, Some(Got::Join));
                    *joined.lock().unwrap().entry(of.run).or_default() += 1;
                    succeeded(done("1"))
                }
            };
            Finished { claim: one.claim, verdict, notes: Notes::default() }
        };
        let finished: Vec<Finished> = claimed.iter().map(end).collect();
        let free = u32::try_from(finished.len()).unwrap();
        let settled = worker.settle(finished, free).await;
        assert!(settled.iter().all(|&one| one == Settled::Committed));
    }
}

pub(super) async fn thousands_under_two_workers_each_fire_once(bench: Bench) {
    const RUNS: usize = 2_000;
    const AT_ONCE: usize = 100;
    const ENOUGH: Duration = Duration::from_secs(5);
    let workers = [bench.worker_knowing(knows_branches()).await, bench.worker_knowing(knows_branches()).await];
    let workers = Arc::new(Mutex::new(workers.map(Some)));
    let joined = Arc::new(Mutex::new(HashMap::new()));
    let over = Arc::new(tokio::sync::Semaphore::new(0));
    let (store, counts) = (bench.store.clone(), Arc::clone(&joined));
    let started = on_threads(3, move |thread| {
        let worker = workers.lock().unwrap().get_mut(thread).and_then(Option::take);
        let (store, joined, over) = (store.clone(), Arc::clone(&joined), Arc::clone(&over));
        async move {
            let Some(worker) = worker else {
                // Not for ever: a slow store does as many as it can.
                let begin = Instant::now();
                let mut runs = Vec::new();
                while runs.len() < RUNS && begin.elapsed() < ENOUGH {
                    let new: Vec<_> = (0..AT_ONCE).map(|_| easy()).collect();
                    let ids: Vec<RunId> = new.iter().map(|run| run.id).collect();
                    let work = new.into_iter().map(|run| NewWork::Run(Box::new(run))).collect();
                    store.dispatch(work).await.unwrap();
                    for &run in &ids {
                        store.ended(run.into()).await.unwrap();
                    }
                    runs.extend(ids);
                }
                over.close();
                return runs;
            };
            plays(worker, joined, over).await;
            Vec::new()
        }
    })
    .await
    .concat();
    let counts = counts.lock().unwrap().clone();
    assert!(started.len() >= AT_ONCE);
    assert_eq!(counts.len(), started.len());
    assert!(counts.values().all(|&times| times == 1), "each exactly once");
    for &run in &started {
        let ended = bench.run(run).await;
        assert_eq!((ended.state, ended.output.as_deref()), (RunState::Succeeded, Some(&b"1"[..])));
    }
    assert_eq!(bench.all_tasks().await.len(), started.len() * 10);
}

pub(super) async fn the_last_two_of_a_join_at_once(bench: Bench) {
    let mut workers = [bench.worker().await, bench.worker().await];
    for _ in 0..300 {
        let run = bench.start(easy()).await;
        let first = workers[0].claim().await.claim;
        workers[0].finish(first, succeeded(then([step(run, "two"), step(run, "three")]))).await;
        let mut claims = Vec::new();
        for worker in &mut workers {
            claims.push((worker.id, worker.claim().await.claim));
        }
        let both = [join(run, &["two", "three"]), join(run, &["two", "three"])];
        let (store, given, joins) = (bench.store.clone(), claims.clone(), both.clone());
        on_threads(2, move |thread| {
            let (worker, claim) = given[thread];
            let next = joins[thread].at(u32::try_from(thread).unwrap());
            let end = Finished { claim, verdict: gave(&thread.to_string(), next), notes: Notes::default() };
            store.settle(worker, vec![end], Vec::new());
            std::future::ready(())
        })
        .await;
        for (worker, (_, claim)) in workers.iter_mut().zip(claims) {
            assert_eq!(worker.answer().await, (claim, Settled::Committed));
        }
        let joined = workers[0].claim().await;
        assert_eq!(payload(&joined), "[0,1]");
        let mut fired = 0;
        for join in &both {
            fired += usize::from(bench.find(join.then.id).await.is_some());
        }
        assert_eq!(fired, 1, "the last of the two adds its task, and nobody else");
        workers[0].finish(joined.claim, succeeded(done("1"))).await;
        assert_eq!(bench.run_state(run).await, RunState::Succeeded);
    }
}

pub(super) async fn no_items_of_a_run_that_stops_arrive_nowhere(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    bench.cancel(run).await;
    let all = join(run, &["two"]).each(0);
    let none = NewEach { arrival: Some(all.arrival(0)), ..each(run, "two", 0, None) };
    worker.finish(claim, super::bench::cancelled(for_each(none))).await;
    assert_eq!((bench.find(all.then.id).await, bench.run_state(run).await), (None, RunState::Cancelled));
}
